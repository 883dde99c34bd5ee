/**
 * Fuzzes the HTTP/1.1 parsers against llhttp for as long as is asked: `node scripts/fuzz-http.ts --minutes 10 [--seed N]`.
 *
 * Ends with 1 at the first disagreement, and prints the seed and the bytes that show it.
 */
import { parseArgs } from 'node:util'
import { fuzzChunked } from '../src/wire/http1/chunked.fuzz.ts'
import { fuzzRequests } from '../src/wire/http1/request-parser.fuzz.ts'
import { fuzzResponses } from '../src/wire/http1/response-parser.fuzz.ts'

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '1' }, seed: { type: 'string' } },
})
const subjects = { requests: fuzzRequests, responses: fuzzResponses, chunked: fuzzChunked }
const ROUNDS = 5000

let seed = Number(values.seed ?? Date.now() % 1_000_000_000)
const end = performance.now() + Number(values.minutes) * 60_000
const totals = { rounds: 0, accepted: 0, refused: 0 }
console.log(`seed ${seed}`)

while (performance.now() < end && process.exitCode === undefined) {
  for (const [name, run] of Object.entries(subjects)) {
    const outcome = run({ seed, rounds: ROUNDS })
    totals.rounds += outcome.rounds
    totals.accepted += outcome.accepted
    totals.refused += outcome.refused
    for (const { seed, what, text } of outcome.findings) {
      console.log(`${name} seed ${seed}: ${what}\n  ${JSON.stringify(text)}`)
      process.exitCode = 1
    }
  }
  seed = (seed + ROUNDS) >>> 0
}
console.log(
  `${totals.rounds} rounds, ${totals.accepted} messages accepted, ${totals.refused} streams refused`,
)
