/**
 * What SQLite and the file system say, put into the words of an operator: which file, what is wrong, what to do.
 */
import { EdgeError } from './errors.ts'
import type { ErrorCode } from './error-codes.ts'

/** Primary result codes of SQLite (the low byte of the extended one), https://www.sqlite.org/rescode.html */
const SQLITE: Readonly<Record<number, ErrorCode>> = {
  5: 'data-in-use', // BUSY
  6: 'data-in-use', // LOCKED
  8: 'store-read-only', // READONLY
  10: 'store-failed', // IOERR
  11: 'store-corrupt', // CORRUPT
  13: 'store-full', // FULL
  14: 'store-read-only', // CANTOPEN
  26: 'store-corrupt', // NOTADB
}

/** The extended code of a database whose file was renamed or unlinked under it. */
const READONLY_DBMOVED = 1032

const SYSTEM: Readonly<Record<string, ErrorCode>> = {
  EACCES: 'store-read-only',
  EPERM: 'store-read-only',
  EROFS: 'store-read-only',
  ENOTDIR: 'store-read-only',
  EEXIST: 'store-read-only',
  ENOENT: 'store-missing',
  ENOSPC: 'store-full',
  EDQUOT: 'store-full',
  EIO: 'store-failed',
}

/** The error to throw instead of `error`, which happened while `path` was used. What is already ours passes unchanged. */
export function storeError(path: string, error: unknown): EdgeError {
  if (error instanceof EdgeError) return error
  const cause = error instanceof Error ? error : new Error(String(error))
  return new EdgeError(codeOf(cause), `${path}: ${cause.message}`, { cause })
}

function codeOf(error: Error & { code?: unknown; errcode?: unknown }): ErrorCode {
  if (error.errcode === READONLY_DBMOVED) return 'store-missing'
  if (typeof error.errcode === 'number') return SQLITE[error.errcode & 0xff] ?? 'store-failed'
  if (typeof error.code === 'string') return SYSTEM[error.code] ?? 'store-failed'
  return 'store-failed'
}
