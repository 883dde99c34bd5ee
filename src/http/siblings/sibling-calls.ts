/** Questions to the other workers of a node, over kept connections: one question at a time on each. */
import { connect, type Socket } from 'node:net'
import { FrameReader, KIND, textFrame } from './frames.ts'
import type { Ask, Here, Invalidation, NotHere } from './messages.ts'

/** Kept for the next question, of one sibling. */
const IDLE_MAX = 64

/** Told in this order: `onHere`, `onData`…, then `onEnd`; or `onNone`; or `onBroken` at any point. */
export interface CallEvents {
  onHere(here: Here): void
  /** Valid until this returns. False: no more until `resume`. */
  onData(piece: Buffer): boolean
  onEnd(): void
  onNone(none: NotHere): void
  /** The worker is gone, or does not answer; after `onHere`: the body is cut. */
  onBroken(): void
}

export class SiblingCalls {
  readonly #pathOf: (worker: number) => string
  readonly #idle = new Map<number, Link[]>()

  constructor(pathOf: (worker: number) => string) {
    this.#pathOf = pathOf
  }

  /** `timeoutMs`: until a head, or none. */
  ask(worker: number, ask: Ask, timeoutMs: number, events: CallEvents): SiblingCall {
    const link = this.#link(worker)
    link.ref()
    const call = new SiblingCall(link, events, () => this.#keep(worker, link), timeoutMs)
    link.call = call
    link.socket.write(textFrame(KIND.ask, ask))
    return call
  }

  /** Tells one sibling; what is asked of it later finds that done, on a connection that is free now. */
  tell(worker: number, invalidation: Invalidation): void {
    const link = this.#link(worker)
    link.socket.write(textFrame(KIND.invalidate, invalidation))
    this.#keep(worker, link)
  }

  close(): void {
    for (const links of this.#idle.values()) for (const { socket } of links) socket.destroy()
    this.#idle.clear()
  }

  #link(worker: number): Link {
    const idle = this.#idle.get(worker)
    for (let link = idle?.pop(); link !== undefined; link = idle?.pop()) if (!link.isOver) return link
    return new Link(this.#pathOf(worker))
  }

  #keep(worker: number, link: Link): void {
    link.call = undefined
    let idle = this.#idle.get(worker)
    if (idle === undefined) this.#idle.set(worker, (idle = []))
    if (link.isOver) return
    if (idle.length >= IDLE_MAX) return void link.socket.end()
    // It may have been paused by its last piece.
    link.socket.resume()
    // It holds no process that has nothing else to do.
    link.socket.unref()
    idle.push(link)
  }
}

/** A connection, and the question on it. */
class Link {
  readonly socket: Socket
  call: SiblingCall | undefined
  isOver = false
  readonly #frames: FrameReader

  constructor(path: string) {
    this.#frames = new FrameReader({
      onText: (kind, value) => this.#asked().onText(kind, value),
      onData: (piece) => this.#asked().onData(piece),
    })
    this.socket = connect(path)
    this.socket.on('data', (chunk: Buffer) => {
      try {
        this.#frames.push(chunk)
      } catch {
        this.socket.destroy()
      }
    })
    this.socket.on('error', () => {})
    this.socket.on('close', () => {
      this.isOver = true
      this.#frames.isClosed = true
      this.call?.onClose()
    })
  }

  ref(): void {
    this.socket.ref()
  }

  /** What comes unasked is of no program of ours. */
  #asked(): SiblingCall {
    if (this.call === undefined) throw new Error('an answer without a question')
    return this.call
  }
}

export class SiblingCall {
  readonly #link: Link
  readonly #events: CallEvents
  readonly #onFree: () => void
  readonly #timer: NodeJS.Timeout
  #state: 'asked' | 'here' | 'over' = 'asked'

  constructor(link: Link, events: CallEvents, onFree: () => void, timeoutMs: number) {
    this.#link = link
    this.#events = events
    this.#onFree = onFree
    this.#timer = setTimeout(() => this.#break(), timeoutMs)
  }

  resume(): void {
    if (this.#state === 'here') this.#link.socket.resume()
  }

  /** Nobody wants it any more: nothing more is told. */
  abort(): void {
    if (this.#state === 'over') return
    this.#end()
    this.#link.socket.destroy()
  }

  // ── told by the link ────────────────────────────────────────────────────────────────────────────────────────

  onText(kind: number, value: unknown): void {
    if (kind === KIND.head && this.#state === 'asked') {
      clearTimeout(this.#timer)
      this.#state = 'here'
      this.#events.onHere(value as Here)
    } else if (kind === KIND.none && this.#state === 'asked') {
      this.#end()
      this.#onFree()
      this.#events.onNone(value as NotHere)
    } else if (kind === KIND.end && this.#state === 'here') {
      this.#end()
      this.#onFree()
      this.#events.onEnd()
    } else if (this.#state !== 'over') throw new Error(`a frame of kind ${kind} out of its order`)
  }

  onData(piece: Buffer): void {
    if (this.#state === 'here' && !this.#events.onData(piece)) this.#link.socket.pause()
  }

  onClose(): void {
    if (this.#state === 'over') return
    this.#end()
    this.#events.onBroken()
  }

  #break(): void {
    this.#link.socket.destroy()
  }

  #end(): void {
    clearTimeout(this.#timer)
    this.#state = 'over'
  }
}
