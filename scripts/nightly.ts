/**
 * The simulation of log, replicas and flips, for as many seeds as there is time: `node scripts/nightly.ts [--seeds 5000] [--from 1]`.
 *
 * Goes through all of them, prints how far it is, and of each seed that breaks a rule what happened and the command that shows it again. Ends with
 * 1 where there was one. What a test of `npm test` does for some seeds (`test/simulation/simulation.test.ts`), this does for thousands.
 */
import { parseArgs } from 'node:util'
import { Disks } from '../test/simulation/disks.ts'
import { simulate } from '../test/simulation/simulate.ts'

const { values } = parseArgs({
  options: { seeds: { type: 'string', default: '5000' }, from: { type: 'string' } },
})
const from = Number(values.from ?? Math.floor(Math.random() * 1_000_000_000))
const count = Number(values.seeds)
const TOLD_EVERY_MS = 10_000

const again = (seed: number): string => `node scripts/nightly.ts --seeds 1 --from ${seed}`
let running = from
// What nobody caught is a finding, too.
process.on('unhandledRejection', (error) => {
  console.error(`seed ${running}:`, error, `\nto see it again: ${again(running)}`)
  process.exit(1)
})

const disks = new Disks()
const totals = { entries: 0, events: 0, failures: 0 }
let toldMs = performance.now()
for (running = from; running < from + count; running++) {
  const { failure, events, entries } = await simulate(running, disks)
  totals.events += events
  totals.entries += entries
  if (failure !== undefined) {
    totals.failures++
    process.exitCode = 1
    console.log(`${failure}\nto see it again: ${again(running)}\n`)
  }
  if (performance.now() - toldMs < TOLD_EVERY_MS) continue
  toldMs = performance.now()
  console.log(`${running - from + 1} of ${count} seeds, ${totals.failures} failed`)
}
disks.close()
console.log(
  `seeds ${from} to ${from + count - 1}: ${totals.failures} failed; ${totals.entries} entries in logs, ${totals.events} events looked at`,
)
