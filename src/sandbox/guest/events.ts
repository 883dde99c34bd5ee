/**
 * `Event` and `EventTarget` of the DOM standard, without a tree: a listener stands on the target itself, so there is neither capture
 * nor bubbling. What `AbortSignal` is made of.
 */
import { inspect } from './inspect.ts'
import { ERROR, running } from './logging.ts'
import { writeLog } from './output.ts'
import { now, reflectApply, toStringTagSymbol } from './primordials.ts'

export interface EventInit {
  readonly bubbles?: boolean
  readonly cancelable?: boolean
  readonly composed?: boolean
}

let aim: (event: Event, target: EventTarget | null, isDispatched: boolean) => void
let isStopped: (event: Event) => boolean
let isBusy: (event: Event) => boolean

export class Event {
  readonly #type: string
  readonly #bubbles: boolean
  readonly #cancelable: boolean
  readonly #composed: boolean
  readonly #timeStamp = now()
  #target: EventTarget | null = null
  #current: EventTarget | null = null
  #isPrevented = false
  #isStopped = false

  constructor(type: string, init?: EventInit) {
    this.#type = `${type}`
    this.#bubbles = init?.bubbles === true
    this.#cancelable = init?.cancelable === true
    this.#composed = init?.composed === true
  }

  static {
    aim = (event, target, isDispatched) => {
      if (target !== null) event.#target = target
      event.#current = isDispatched ? target : null
      if (isDispatched) event.#isStopped = false
    }
    isStopped = (event) => event.#isStopped
    isBusy = (event) => event.#current !== null
  }

  get type(): string {
    return this.#type
  }

  get target(): EventTarget | null {
    return this.#target
  }

  get currentTarget(): EventTarget | null {
    return this.#current
  }

  get bubbles(): boolean {
    return this.#bubbles
  }

  get cancelable(): boolean {
    return this.#cancelable
  }

  get composed(): boolean {
    return this.#composed
  }

  get defaultPrevented(): boolean {
    return this.#isPrevented
  }

  get timeStamp(): number {
    return this.#timeStamp
  }

  preventDefault(): void {
    if (this.#cancelable) this.#isPrevented = true
  }

  stopPropagation(): void {}

  stopImmediatePropagation(): void {
    this.#isStopped = true
  }

  get [toStringTagSymbol](): string {
    return 'Event'
  }
}

type Listener = ((event: Event) => unknown) | { handleEvent(event: Event): unknown }

class Registration {
  readonly type: string
  readonly listener: Listener
  readonly isOnce: boolean
  isRemoved = false
  next: Registration | null = null

  constructor(type: string, listener: Listener, isOnce: boolean) {
    this.type = type
    this.listener = listener
    this.isOnce = isOnce
  }
}

export class EventTarget {
  #first: Registration | null = null

  addEventListener(
    type: string,
    listener: Listener | null,
    options?: boolean | { readonly once?: boolean; readonly signal?: EventTarget & { aborted: boolean } },
  ): void {
    if (listener === null || listener === undefined) return
    if (typeof listener !== 'function' && typeof listener !== 'object')
      throw new TypeError('a listener is a function, or an object with handleEvent')
    const name = `${type}`
    const isOnce = typeof options === 'object' && options.once === true
    const signal = typeof options === 'object' ? options.signal : undefined
    if (signal?.aborted === true) return
    let last: Registration | null = null
    for (let at = this.#first; at !== null; at = at.next) {
      if (!at.isRemoved && at.type === name && at.listener === listener) return
      last = at
    }
    const added = new Registration(name, listener, isOnce)
    if (last === null) this.#first = added
    else last.next = added
    signal?.addEventListener('abort', () => this.#remove(added), { once: true })
  }

  removeEventListener(type: string, listener: Listener | null): void {
    const name = `${type}`
    for (let at = this.#first; at !== null; at = at.next) {
      if (at.type === name && at.listener === listener) this.#remove(at)
    }
  }

  /** False where a listener called `preventDefault`. What listeners throw is logged: nobody else could be told. */
  dispatchEvent(event: Event): boolean {
    if (isBusy(event)) throw new TypeError('the event is being dispatched already')
    aim(event, this, true)
    // Those that are added meanwhile do not hear this one.
    let last: Registration | null = null
    for (let at = this.#first; at !== null; at = at.next) last = at
    for (let at = this.#first; at !== null && last !== null; at = at.next) {
      if (!at.isRemoved && at.type === event.type) {
        if (at.isOnce) this.#remove(at)
        this.#tell(at.listener, event)
        if (isStopped(event)) break
      }
      if (at === last) break
    }
    aim(event, null, false)
    return !event.defaultPrevented
  }

  #tell(listener: Listener, event: Event): void {
    try {
      if (typeof listener === 'function') reflectApply(listener, this, [event])
      else listener.handleEvent(event)
    } catch (error) {
      writeLog(running.id, ERROR, inspect(error))
    }
  }

  #remove(removed: Registration): void {
    removed.isRemoved = true
    let before: Registration | null = null
    for (let at = this.#first; at !== null; at = at.next) {
      if (at !== removed) {
        before = at
        continue
      }
      if (before === null) this.#first = at.next
      else before.next = at.next
      return
    }
  }

  get [toStringTagSymbol](): string {
    return 'EventTarget'
  }
}
