/** The time in which something runs in a process, and what the cores lost meanwhile on which it was seen. */
import { type CoreTimes, coreTimes, lostBetween } from '../base/core-time.ts'
import { coreOf } from '../base/proc.ts'

export class RunSpan {
  #since: CoreTimes
  readonly #cores = new Set<number>()

  /** `since`: a look from before it began. */
  constructor(since: CoreTimes) {
    this.#since = since
  }

  begin(since: CoreTimes): void {
    this.#since = since
    this.#cores.clear()
  }

  /** Notes the core on which the process is. */
  see(pid: number | undefined): void {
    const core = pid === undefined ? undefined : coreOf(pid)
    if (core !== undefined) this.#cores.add(core)
  }

  lostMs(pid: number | undefined): number {
    this.see(pid)
    return lostBetween(this.#since, coreTimes(), this.#cores)
  }
}
