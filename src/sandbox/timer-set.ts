/**
 * The timers of one isolate. The worker keeps them, since a sandbox that is inside a unit cannot look at a clock.
 *
 * One timer of Node's for all of them, set for the earliest. What a unit may ask for is bounded: so many timers at a time, so
 * many that fire at once; more wait a little.
 */
const TIMERS_MAX = 1000
const FIRED_AT_ONCE = 64
const PAUSE_MS = 4
const DELAY_MS_MAX = 2 ** 31 - 1

export class TimerSet {
  readonly #fire: (id: number) => void
  readonly #due = new Map<number, number>()
  #timer: NodeJS.Timeout | undefined
  #setFor = Infinity

  constructor(fire: (id: number) => void) {
    this.#fire = fire
  }

  get size(): number {
    return this.#due.size
  }

  /** False where there are too many. */
  start(id: number, ms: number): boolean {
    if (this.#due.size >= TIMERS_MAX) return false
    const due = performance.now() + Math.min(ms, DELAY_MS_MAX)
    this.#due.set(id, due)
    if (due < this.#setFor) this.#set(due)
    return true
  }

  stop(id: number): void {
    this.#due.delete(id)
  }

  clear(): void {
    this.#due.clear()
    clearTimeout(this.#timer)
    this.#setFor = Infinity
  }

  #set(due: number, pause = 0): void {
    clearTimeout(this.#timer)
    this.#setFor = due
    this.#timer = setTimeout(() => this.#run(), Math.max(due - performance.now(), pause))
  }

  #run(): void {
    this.#setFor = Infinity
    const now = performance.now()
    let fired = 0
    let next = Infinity
    for (const [id, due] of this.#due) {
      if (due <= now + 0.5 && fired < FIRED_AT_ONCE) {
        fired++
        this.#due.delete(id)
        this.#fire(id)
      } else if (due < next) next = due
    }
    if (next < Infinity) this.#set(next, fired > 0 ? PAUSE_MS : 0)
  }
}
