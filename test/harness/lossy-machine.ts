/**
 * Whether this machine can tell what a unit used. Where the host of a virtual machine takes away much of its cores in silence, a
 * thread's clock counts gaps of hundreds of milliseconds, memory that is new costs a hundred times what it should, and whoever
 * judges by CPU time judges by chance.
 */
import { coreTimes, lostBetween } from '../../src/base/core-time.ts'
import { coreOf } from '../../src/base/proc.ts'

const SPIN_MS = 500
/** Of a core's time. A machine of one's own loses nothing, a shared one a few of a hundred. */
const LOSS_MAX = 0.25

/** `skip` of tests that judge by CPU time: why they cannot be run here, or false. */
export const lossyMachine: string | false = look()

function look(): string | false {
  const before = coreTimes()
  // A core that idles loses nothing.
  while (performance.now() - before.atMs < SPIN_MS);
  const after = coreTimes()
  const lost = lostBetween(before, after, [coreOf(process.pid) ?? 0]) / (after.atMs - before.atMs)
  if (lost <= LOSS_MAX) return false
  return `the host of this machine takes away ${Math.round(lost * 100)} % of its cores in silence: what a unit used cannot be told`
}
