import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fuzzChunked } from './chunked.fuzz.ts'
import type { FuzzOptions, Outcome } from './fuzz/differential.ts'
import { disagreement, type Reading } from './fuzz/reading.ts'
import { readWithLlhttp } from './fuzz/llhttp.ts'
import { fuzzRequests } from './request-parser.fuzz.ts'
import { fuzzResponses } from './response-parser.fuzz.ts'

const ROUNDS = 12_000

/** A new seed each time, so that each run looks elsewhere; ORLA_FUZZ_SEED repeats one. */
const seed = Number(process.env['ORLA_FUZZ_SEED'] ?? Date.now() % 1_000_000_000)

const subjects: readonly (readonly [name: string, run: (options: FuzzOptions) => Outcome])[] = [
  ['requests', fuzzRequests],
  ['responses', fuzzResponses],
  ['chunked bodies', fuzzChunked],
]

for (const [name, run] of subjects) {
  test(`${name}: what we accept, llhttp accepts and reads the same`, (t) => {
    t.diagnostic(`seed ${seed}`)
    const outcome = run({ seed, rounds: ROUNDS })
    assert.deepEqual(outcome.findings, [], `seed ${seed}`)
    assert.equal(outcome.rounds, ROUNDS)
    // Both happen often, or the fuzz tries nothing.
    assert.ok(outcome.accepted > ROUNDS / 2, `accepted ${outcome.accepted}`)
    assert.ok(outcome.refused > ROUNDS / 4, `refused ${outcome.refused}`)
  })
}

test('the comparison notices a parser that reads otherwise', () => {
  const text = 'POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET /b HTTP/1.1\r\nHost: a\r\n\r\n'
  const right = () => readWithLlhttp('request', [Buffer.from(text, 'latin1')], 'GET')
  assert.equal(disagreement(right(), right()), undefined)
  const wrong: readonly ((reading: Reading) => void)[] = [
    (reading) => void (reading.messages[0]!.body = 'ab'),
    (reading) => void (reading.messages[0]!.isComplete = false),
    (reading) => void reading.messages.pop(),
    (reading) => void reading.messages.push(reading.messages[0]!),
    (reading) => void (reading.messages[1] = { ...reading.messages[1]!, start: 'GET /c' }),
    (reading) => void (reading.messages[1] = { ...reading.messages[1]!, headers: ['host', 'b'] }),
  ]
  for (const change of wrong) {
    const reading = right()
    change(reading)
    assert.notEqual(disagreement(reading, right()), undefined, change.toString())
  }
})
