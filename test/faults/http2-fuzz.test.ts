/** Damaged HTTP/2 from a seed: the node lives, nothing stands still, nothing is smuggled, and others are served all the time. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SMUGGLED } from '../../src/wire/http2/frames.fuzz.ts'
import { fuzzHttp2 } from '../harness/http2-fuzz.ts'
import { startNode } from '../harness/node.ts'
import { startOrigin } from '../harness/origin.ts'

const ROUNDS = 400
const BETWEEN = 50
/** A new seed each time, so that each run looks elsewhere; ORLA_FUZZ_SEED repeats one. */
const seed = Number(process.env['ORLA_FUZZ_SEED'] ?? Date.now() % 1_000_000_000)

test('damaged frames bring nothing to the origin that was not asked for, and harm nobody else', async (t) => {
  t.diagnostic(`seed ${seed}`)
  const smuggled: string[] = []
  const origin = await startOrigin(t, (incoming, response) => {
    if (incoming.url?.includes(SMUGGLED)) smuggled.push(`${incoming.method} ${incoming.url}`)
    incoming.on('error', () => {})
    incoming.pipe(response)
  })
  const node = await startNode(t, {
    config: {
      // Who closes its window and leaves is not waited for.
      edge: { limits: { body: '2s' }, listen: { address: '127.0.0.1:0', h2c: true } },
      sites: [{ origin: origin.url }],
    },
  })
  const workers = node.processes().workers
  let ended = 0
  let answered = 0
  for (let round = 0; round < ROUNDS; round += BETWEEN) {
    const outcome = await fuzzHttp2(node.url, seed + round, BETWEEN)
    assert.deepEqual(outcome.findings, [])
    ended += outcome.ended
    answered += outcome.answered
    assert.equal((await node.request('/', { method: 'POST', body: 'mine' })).text, 'mine')
  }
  assert.deepEqual(smuggled, [], `seed ${seed}`)
  assert.deepEqual(node.processes().workers, workers)
  // Both happen often, or the fuzz tries nothing.
  assert.ok(ended > ROUNDS / 10, `ended ${ended}`)
  assert.ok(answered > ROUNDS / 10, `answered ${answered}`)
})
