/** `DOMException`, for what the web's interfaces throw by name: `DataCloneError`, `InvalidCharacterError`… */
import { toStringTagSymbol } from './primordials.ts'

const CODES: Readonly<Record<string, number>> = {
  InvalidCharacterError: 5,
  NotSupportedError: 9,
  InvalidStateError: 11,
  SyntaxError: 12,
  InvalidAccessError: 15,
  AbortError: 20,
  QuotaExceededError: 22,
  TimeoutError: 23,
  DataCloneError: 25,
}

export class DOMException extends Error {
  readonly #name: string

  constructor(message = '', name = 'Error') {
    super(`${message}`)
    this.#name = `${name}`
  }

  override get name(): string {
    return this.#name
  }

  /** The legacy number of the name; 0 for newer names. */
  get code(): number {
    return CODES[this.#name] ?? 0
  }

  get [toStringTagSymbol](): string {
    return 'DOMException'
  }
}
