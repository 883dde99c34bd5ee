/** `AbortController` and `AbortSignal` of the DOM standard: how work that awaits is told to stop. */
import { DOMException } from './dom-exception.ts'
import { Event, EventTarget } from './events.ts'
import { checkMaker, FROM_GUEST } from './illegal-constructor.ts'
import { toStringTagSymbol } from './primordials.ts'
import { setTimeout } from './timers.ts'

/** Who is told before the listeners, in order: signals that depend on this one, and the guest's own work. */
class Dependent {
  readonly onAbort: () => void
  next: Dependent | null = null
  isGone = false

  constructor(onAbort: () => void) {
    this.onAbort = onAbort
  }
}

/** Aborts; a second time does nothing. */
export let abortSignal: (signal: AbortSignal, reason: unknown) => void
/** Calls back once the signal is aborted, before its listeners; the function that is returned takes that back. */
export let onAbort: (signal: AbortSignal, callback: () => void) => () => void
export let isSignal: (value: unknown) => value is AbortSignal

export class AbortSignal extends EventTarget {
  #isAborted = false
  #reason: unknown = undefined
  #dependents: Dependent | null = null
  onabort: ((event: Event) => unknown) | null = null

  constructor(maker: unknown) {
    checkMaker(maker)
    super()
  }

  static {
    isSignal = (value): value is AbortSignal =>
      typeof value === 'object' && value !== null && #isAborted in value
    abortSignal = (signal, reason) => {
      if (signal.#isAborted) return
      signal.#isAborted = true
      signal.#reason = reason === undefined ? aborted() : reason
      const dependents = signal.#dependents
      signal.#dependents = null
      for (let at = dependents; at !== null; at = at.next) if (!at.isGone) at.onAbort()
      const event = new Event('abort')
      const { onabort } = signal
      if (typeof onabort === 'function') signal.addEventListener('abort', onabort, { once: true })
      signal.dispatchEvent(event)
    }
    onAbort = (signal, callback) => {
      const dependent = new Dependent(callback)
      // In front of a list that is told from its end would reverse them: they are few, so the end is looked for.
      let last = signal.#dependents
      while (last !== null && last.next !== null) last = last.next
      if (last === null) signal.#dependents = dependent
      else last.next = dependent
      return () => {
        dependent.isGone = true
        if (signal.#dependents === dependent) signal.#dependents = dependent.next
      }
    }
  }

  get aborted(): boolean {
    return this.#isAborted
  }

  get reason(): unknown {
    return this.#reason
  }

  throwIfAborted(): void {
    if (this.#isAborted) throw this.#reason
  }

  /** A signal that is aborted already. */
  static abort(reason?: unknown): AbortSignal {
    const signal = new AbortSignal(FROM_GUEST)
    abortSignal(signal, reason)
    return signal
  }

  /** A signal that is aborted after so many milliseconds, with a `TimeoutError`. */
  static timeout(ms: number): AbortSignal {
    if (!(ms >= 0)) throw new TypeError('a timeout is a number of milliseconds from 0')
    const signal = new AbortSignal(FROM_GUEST)
    setTimeout(() => abortSignal(signal, new DOMException('the time is up', 'TimeoutError')), ms)
    return signal
  }

  /** A signal that is aborted with the first of these, and with its reason. */
  static any(signals: Iterable<AbortSignal>): AbortSignal {
    const signal = new AbortSignal(FROM_GUEST)
    for (const source of signals) {
      if (!isSignal(source)) throw new TypeError('AbortSignal.any takes a list of signals')
      if (source.#isAborted) abortSignal(signal, source.#reason)
      else onAbort(source, () => abortSignal(signal, source.#reason))
    }
    return signal
  }

  override get [toStringTagSymbol](): string {
    return 'AbortSignal'
  }
}

export class AbortController {
  readonly #signal = new AbortSignal(FROM_GUEST)

  get signal(): AbortSignal {
    return this.#signal
  }

  abort(reason?: unknown): void {
    abortSignal(this.#signal, reason)
  }

  get [toStringTagSymbol](): string {
    return 'AbortController'
  }
}

const aborted = (): DOMException => new DOMException('this operation was aborted', 'AbortError')
