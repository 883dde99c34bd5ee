/** Lets another process that is ready run first: for who waits, without an event loop, for a word that another process will change. */
import koffi from 'koffi'

const schedYield = koffi.load(null).func('int sched_yield()') as unknown as () => number

export function yieldCpu(): void {
  schedYield()
}
