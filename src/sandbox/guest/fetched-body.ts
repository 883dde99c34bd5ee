/**
 * The body of a fetched answer that was not whole when its head came: the worker holds it, and gives a piece when it is asked for one.
 *
 * What is passed on, as in `return fetch(url)`, is never asked for: the worker is told whose body it is.
 */
import { BODY_READ } from '../protocol.ts'
import { onAbort, type AbortSignal } from './abort.ts'
import { callError, dropCall, sendCall } from './calls.ts'
import { running } from './logging.ts'
import { writeCallDropped } from './output.ts'
import { numberToString } from './primordials.ts'

export class FetchedBody {
  /** Of the call that brought it. */
  readonly number: string
  readonly #call: number
  readonly #caller: number
  /** The call for a piece that is under way, or 0. */
  #reading = 0
  #isOver = false
  #hasFailed = false
  #reason: unknown = undefined
  #unlisten: (() => void) | null = null

  /** `caller` is the invocation that fetched it, or 0. It breaks off when `signal` is aborted. */
  constructor(call: number, caller: number, signal: AbortSignal | null) {
    this.#call = call
    this.number = numberToString(call, 10)
    this.#caller = caller
    if (signal !== null) this.#unlisten = onAbort(signal, () => this.#abort(signal.reason))
  }

  /** Nothing of it comes any more. */
  get isOver(): boolean {
    return this.#isOver
  }

  /** The next piece as Latin-1 text; null after the last. */
  async read(): Promise<string | null> {
    this.check()
    if (this.#isOver) return null
    const { answer, number } = sendCall(running.id === 0 ? this.#caller : running.id, BODY_READ, this.number)
    this.#reading = number
    const { isOk, head, body } = await answer
    this.#reading = 0
    if (!isOk) {
      this.#fail(callError(head))
      this.check()
    }
    if (head !== '') this.#end()
    return body === '' ? null : body
  }

  /** All that is left of it. Rejects where that is more than `bytesMax`. */
  async gather(bytesMax: number): Promise<string> {
    let latin1 = ''
    for (;;) {
      const piece = await this.read()
      if (piece === null) return latin1
      latin1 += piece
      if (latin1.length <= bytesMax) continue
      this.cancel()
      throw new RangeError(`a body of more than ${bytesMax} bytes`)
    }
  }

  /** Throws why it broke off. */
  check(): void {
    if (this.#hasFailed) throw this.#reason
  }

  /** Nobody wants it any more. */
  cancel(): void {
    if (this.#isOver) return
    this.#end()
    writeCallDropped(this.#call)
  }

  #abort(reason: unknown): void {
    if (this.#isOver) return
    this.#fail(reason)
    writeCallDropped(this.#call)
    dropCall(this.#reading, reason)
  }

  #fail(reason: unknown): void {
    this.#hasFailed = true
    this.#reason = reason
    this.#end()
  }

  #end(): void {
    this.#isOver = true
    if (this.#unlisten !== null) this.#unlisten()
    this.#unlisten = null
  }
}
