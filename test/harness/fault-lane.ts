/** One direction of one connection through the fault proxy: reads, does what the mode says, passes on. */
import type { Socket } from 'node:net'
import type { Random } from '../../src/wire/http1/fuzz/random.ts'

export type LaneMode =
  | { readonly kind: 'pass' }
  /** Live connections are cut at once, new ones as soon as they are made. */
  | { readonly kind: 'cut'; readonly how?: 'reset' | 'end' }
  /** So many bytes pass, counted for each connection from when the mode was set, and then it is cut: in the middle of what was sent. */
  | {
      readonly kind: 'cut-after'
      readonly bytes: number | { readonly min: number; readonly max: number }
      readonly how?: 'reset' | 'end'
    }
  /** Half-open: everything is taken and nothing comes out, neither bytes nor the end. */
  | { readonly kind: 'stall' }
  /** Nothing is read any more; what was sent waits, and comes when the mode changes. */
  | { readonly kind: 'hold' }
  | { readonly kind: 'slow'; readonly bytesPerSecond: number }
  /** So many bytes of chance stand in the middle of each piece that passes. */
  | { readonly kind: 'garbage'; readonly bytes: number }

export interface LaneSurroundings {
  readonly random: Random
  /** Cuts the connection that this is a direction of. */
  readonly cut: (how?: 'reset' | 'end') => void
  readonly onPassed: (bytes: number) => void
  readonly onSwallowed: (bytes: number) => void
}

/** How often a slow lane lets a little pass. */
const SLOW_EVERY_MS = 20

export class FaultLane {
  mode: LaneMode
  passedBytes = 0
  readonly #source: Socket
  readonly #sink: Socket
  readonly #around: LaneSurroundings
  /** Until the cut. */
  #leftBytes = 0
  #hasLost = false
  #changed = Promise.withResolvers<void>()

  constructor(source: Socket, sink: Socket, mode: LaneMode, around: LaneSurroundings) {
    this.#source = source
    this.#sink = sink
    this.#around = around
    this.mode = mode
    this.set(mode)
  }

  set(mode: LaneMode): void {
    if (this.#hasLost && mode.kind !== 'stall') return this.#around.cut('reset')
    this.mode = mode
    if (mode.kind === 'cut') return this.#around.cut(mode.how)
    if (mode.kind === 'cut-after') this.#leftBytes = this.#chosen(mode.bytes)
    this.#changed.resolve()
    this.#changed = Promise.withResolvers()
  }

  /** Until the source ends or one of both is destroyed. */
  async run(): Promise<void> {
    try {
      for await (const piece of this.#source.iterator({ destroyOnReturn: false })) {
        await this.#pass(piece as Buffer)
      }
      // An end is as much a thing said as bytes are.
      while (this.mode.kind === 'stall' || this.mode.kind === 'hold') {
        this.#hasLost ||= this.mode.kind === 'stall'
        await this.#changed.promise
      }
      this.#sink.end()
    } catch {
      // One side is gone; the connection tells the other.
    }
  }

  async #pass(piece: Buffer): Promise<void> {
    let rest = piece
    while (rest.length > 0) {
      const { mode } = this
      switch (mode.kind) {
        case 'pass':
          return this.#write(rest)
        case 'cut':
          return this.#around.cut(mode.how)
        case 'stall':
          this.#hasLost = true
          return this.#around.onSwallowed(rest.length)
        case 'hold':
          await this.#changed.promise
          break
        case 'slow': {
          const bytes = Math.max(1, Math.floor((mode.bytesPerSecond * SLOW_EVERY_MS) / 1000))
          // Below 50 bytes a second it is one at a time, and longer between them.
          const ms = Math.max(SLOW_EVERY_MS, 1000 / mode.bytesPerSecond)
          await this.#write(rest.subarray(0, bytes))
          rest = rest.subarray(bytes)
          await this.#sleep(ms)
          break
        }
        case 'cut-after': {
          const passing = rest.subarray(0, this.#leftBytes)
          this.#leftBytes -= passing.length
          await this.#write(passing)
          if (this.#leftBytes === 0) return this.#around.cut(mode.how)
          return
        }
        case 'garbage': {
          const { random } = this.#around
          const at = random.below(rest.length)
          const bytes = Array.from({ length: mode.bytes }, () => random.below(256))
          return this.#write(Buffer.concat([rest.subarray(0, at), Buffer.from(bytes), rest.subarray(at)]))
        }
      }
    }
  }

  /** Resolves when the system has the bytes: what is cut after that was sent. */
  #write(bytes: Buffer): Promise<void> {
    this.passedBytes += bytes.length
    this.#around.onPassed(bytes.length)
    return new Promise((resolve, reject) => {
      this.#sink.write(bytes, (error) => (error ? reject(error) : resolve()))
    })
  }

  async #sleep(ms: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const slept = new Promise<void>((resolve) => (timer = setTimeout(resolve, ms)))
    await Promise.race([slept, this.#changed.promise])
    clearTimeout(timer)
  }

  #chosen(bytes: number | { readonly min: number; readonly max: number }): number {
    if (typeof bytes === 'number') return bytes
    return bytes.min + this.#around.random.below(bytes.max - bytes.min + 1)
  }
}
