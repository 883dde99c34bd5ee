/**
 * What is expected to go wrong: from clients, origins, disks, units and operators. A bug of our own is an `assert`.
 *
 * An error is wrapped once, where knowledge is added, and caught at the edges: connection, unit host, command.
 */
import { ERROR_CODES, type ErrorCode } from './error-codes.ts'

export class EdgeError extends Error {
  readonly code: ErrorCode
  /** What would be right, for the person who reads it. */
  readonly hint: string

  constructor(code: ErrorCode, detail: string, options?: ErrorOptions & { readonly hint?: string }) {
    super(detail, options)
    this.name = 'EdgeError'
    this.code = code
    this.hint = options?.hint ?? ERROR_CODES[code].hint
  }

  get status(): number {
    return ERROR_CODES[this.code].status
  }
}

/** Several attempts at several addresses come as one error that has no words of its own. */
export function wordsOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return wordsOf(error.errors[0])
  return error instanceof Error && error.message !== '' ? error.message : String(error)
}
