/**
 * The token of the control plane where the configuration gives none: made at the first start and kept in the data
 * directory, so that scripts and the command beside the node find the same one after a restart.
 */
import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { EdgeError } from '../base/errors.ts'
import { writeSecretFile } from './secret-file.ts'

/** In the data directory. The command looks for it, too (`cli/control-client.ts`). */
export const TOKEN_FILE = 'control.token'
const TOKEN_BYTES = 24

export interface ControlToken {
  readonly token: string
  /** Where it is kept. */
  readonly path: string
  /** Made just now: nobody knows it yet. */
  readonly isNew: boolean
}

/** To be called by whoever holds the directory's lock. Throws `EdgeError`. */
export function openControlToken(directory: string): ControlToken {
  const path = join(directory, TOKEN_FILE)
  if (existsSync(path)) return { token: readToken(path), path, isNew: false }
  const token = randomBytes(TOKEN_BYTES).toString('base64url')
  writeSecretFile(path, token)
  return { token, path, isNew: true }
}

function readToken(path: string): string {
  let token: string
  try {
    token = readFileSync(path, 'utf8').trim()
  } catch (error) {
    throw new EdgeError('secret-unreadable', `${path}: ${(error as Error).message}`, { cause: error })
  }
  if (/^[\x21-\x7e]{16,}$/.test(token)) return token
  const hint = 'remove the file: the next start makes another token'
  throw new EdgeError('secret-unreadable', `${path} holds no token of at least 16 characters`, { hint })
}
