/**
 * The machine's own clock in whole milliseconds: the same in all of its processes, never set, and never stepping back.
 *
 * `performance.now()` counts from the start of each process; what lies between that and `CLOCK_MONOTONIC` is taken once. It counts from the
 * boot of the machine on, and stands still while it sleeps.
 */
const offsetMs = Number(process.hrtime.bigint()) / 1e6 - performance.now()

/** Whole milliseconds. Two processes read it less than a millisecond apart. */
export const machineNow = (): number => Math.floor(performance.now() + offsetMs)

/** The same for a moment that was read from `performance.now()` of this process. */
export const machineMoment = (performanceMs: number): number => Math.floor(performanceMs + offsetMs)
