/**
 * Time that the cores of this machine lost: in which they did not run, though the kernel may believe that they did.
 *
 * The host of a virtual machine can take a core away without a word (what it tells is `steal`, which the kernel need not count as
 * anybody's). The thread that ran there counts a part of the gap as CPU time. But no clock ticks in a gap, and what
 * `/proc/stat` says that a core did is counted by ticks, and by the clock where it idled: so it falls behind the clock by
 * what was lost. Measured on such a machine: 5.1 s of CPU time by a thread's clock, 1.7 s in which it ran, 1.75 s by the ticks.
 */
import { readFileSync } from 'node:fs'

export interface CoreTimes {
  /** On the monotonic clock, in milliseconds. */
  readonly atMs: number
  /** For how many milliseconds each core says what it did, by its number. */
  readonly toldMs: readonly number[]
}

/** `USER_HZ`, the unit of `/proc/stat`, see proc(5). */
const UNIT_MS = 10
/**
 * What is no loss: the eight counts of a core are told in whole units, and a task that runs between two ticks is not counted. A
 * core that is never idle falls behind by no more than this.
 */
const INEXACT_MS = 30
/** A look costs 20 to 60 µs. */
const LOOK_EVERY_MS = 100

/** No cores where the system does not tell. */
export function coreTimes(text = procStat()): CoreTimes {
  const atMs = performance.now()
  const toldMs: number[] = []
  for (const [, core, counts] of text.matchAll(/^cpu(\d+) (.+)$/gm)) {
    // user nice system idle iowait irq softirq steal; what follows is counted in the first two as well.
    const told = counts!.trim().split(' ').slice(0, 8)
    const sumMs = told.reduce((sum, count) => sum + Number(count) * UNIT_MS, 0)
    // Where the kernel is gVisor, every core has done nothing at all, ever: that tells nothing.
    if (sumMs > 0) toldMs[Number(core)] = sumMs
  }
  return { atMs, toldMs }
}

function procStat(): string {
  try {
    return readFileSync('/proc/stat', 'latin1')
  } catch {
    return ''
  }
}

/** What these cores lost together between two looks, in milliseconds. 0 on a machine of one's own. */
export function lostBetween(from: CoreTimes, to: CoreTimes, cores: Iterable<number>): number {
  let lostMs = 0
  for (const core of new Set(cores)) {
    const before = from.toldMs[core]
    const after = to.toldMs[core]
    if (before === undefined || after === undefined) continue
    lostMs += Math.max(0, to.atMs - from.atMs - (after - before) - INEXACT_MS)
  }
  return lostMs
}

/** Looks at the cores now and then, so that there is a look from before whatever takes too long. */
export class CoreWatch {
  latest = coreTimes()

  look(now: number): void {
    if (now - this.latest.atMs > LOOK_EVERY_MS) this.latest = coreTimes()
  }
}
