/** What many clients may cause at once is told once a minute, with how often it happened since: a log must not grow by what strangers send. */
import type { Clock } from '../../base/clock.ts'

const EVERY_MS = 60_000
/** Kinds that are known at once; which was told longest ago makes room. */
const KINDS_MAX = 1000

export class SeldomLines {
  readonly #clock: Pick<Clock, 'monotonic'>
  readonly #kinds = new Map<string, { readonly toldMs: number; untold: number }>()

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock
  }

  /** Words to end the line with, of what was not told since the last one of its kind; undefined where it is not to be told now. */
  due(kind: string): string | undefined {
    const nowMs = this.#clock.monotonic()
    const before = this.#kinds.get(kind)
    if (before !== undefined && nowMs - before.toldMs < EVERY_MS) {
      before.untold += 1
      return undefined
    }
    this.#kinds.delete(kind)
    if (this.#kinds.size >= KINDS_MAX) this.#kinds.delete(this.#kinds.keys().next().value!)
    this.#kinds.set(kind, { toldMs: nowMs, untold: 0 })
    const untold = before?.untold ?? 0
    return untold === 0 ? '' : ` (and ${untold} more like it since the last line)`
  }
}
