/**
 * Sends damaged HTTP/2 to a node that runs: `node scripts/fuzz-http2.ts --url http://127.0.0.1:8080 --minutes 10 [--seed N]`.
 *
 * The address needs `"h2c": true`, and `limits.body` of some seconds: who closes its window is waited for as long. Ends with 1 at the first connection that stands still or gets what is no HTTP/2, and prints the seed
 * that shows it. What reaches the origin is the origin's to see: nothing may ask for `/smuggled`.
 */
import { parseArgs } from 'node:util'
import { fuzzHttp2 } from '../test/harness/http2-fuzz.ts'

const { values } = parseArgs({
  options: {
    url: { type: 'string', default: 'http://127.0.0.1:8080' },
    minutes: { type: 'string', default: '1' },
    seed: { type: 'string' },
  },
})
const ROUNDS = 200

let seed = Number(values.seed ?? Date.now() % 1_000_000_000)
const end = performance.now() + Number(values.minutes) * 60_000
const totals = { rounds: 0, ended: 0, answered: 0 }
console.log(`seed ${seed}`)

while (performance.now() < end && process.exitCode === undefined) {
  const outcome = await fuzzHttp2(values.url, seed, ROUNDS)
  totals.rounds += outcome.rounds
  totals.ended += outcome.ended
  totals.answered += outcome.answered
  for (const finding of outcome.findings) {
    console.log(finding)
    process.exitCode = 1
  }
  seed = (seed + ROUNDS) >>> 0
}
console.log(
  `${totals.rounds} connections, ${totals.ended} ended by the edge, ${totals.answered} with an answer`,
)
