/** Slices with several workers: each is fetched once for all of them. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test, type TestContext } from 'node:test'
import { divisible, startDivisibleOrigin } from '../harness/divisible-origin.ts'
import { eventually } from '../harness/eventually.ts'
import { PATIENT, startNode } from '../harness/node.ts'

const SLICE = 64 * 1024
const LARGE = randomBytes(7 * SLICE + 1000)
const SLICES = Array.from({ length: 8 }, (_, i) => i * SLICE).map(
  (start) => `/large ${start}-${Math.min(start + SLICE, LARGE.length) - 1}`,
)

async function stand(t: TestContext, workers: number) {
  const origin = await startDivisibleOrigin(t, { '/large': divisible(LARGE) })
  const node = await startNode(t, {
    config: {
      edge: { workers, limits: PATIENT },
      sites: [{ hosts: ['*'], origin: origin.url, cache: { ram: '32mb', slice: '64kb' } }],
    },
  })
  /** Each on a connection of its own: so they spread over the workers. */
  const crowd = (count: number, headers: Readonly<Record<string, string>> = {}) =>
    Promise.all(Array.from({ length: count }, () => node.request('/large', { headers })))
  return { origin, node, crowd }
}

/** The first slice tells how long the object is, but not to whom it was asked before: it may be asked for up to its end. */
const startsOf = (asked: readonly string[]) =>
  asked.map((ask) => Number(/ (\d+)-/.exec(ask)?.[1])).toSorted((a, b) => a - b)

test('400 clients, a hundred at once, for an object in slices, with four workers, are one request a slice to the origin', async (t) => {
  const { origin, crowd } = await stand(t, 4)
  for (let round = 0; round < 4; round++) {
    for (const { status, body } of await crowd(100)) {
      assert.equal(status, 200)
      assert.ok(body.equals(LARGE))
    }
  }
  assert.deepEqual(
    startsOf(origin.asked),
    SLICES.map((_, i) => i * SLICE),
  )
})

test('ranges are put together of slices that other workers have, as old as they are there', async (t) => {
  const { origin, crowd, node } = await stand(t, 3)
  origin.objects['/large']!.fields['age'] = '100'
  await crowd(1)
  const asked = origin.asked.length
  const headers = { range: `bytes=${SLICE - 10}-${3 * SLICE + 9}` }
  const seen = await eventually(async () => {
    const answers = await crowd(10, headers)
    for (const answer of answers) {
      assert.equal(answer.status, 206)
      assert.ok(answer.body.equals(LARGE.subarray(SLICE - 10, 3 * SLICE + 10)))
      assert.ok(Number(answer.headers['age']) >= 100)
    }
    return answers.find((answer) => String(answer.headers['cache-status']).includes('detail=sibling'))
  })
  assert.match(String(seen.headers['cache-status']), /^orla; hit; ttl=\d+; detail=sibling$/)
  assert.equal(origin.asked.length, asked)
  // A purge by URL takes the slices in all of them.
  const { status, text } = await node.api('POST', '/v1/purge', { everything: true })
  assert.equal(status, 200, text)
  await crowd(30)
  assert.equal(origin.asked.length, asked + SLICES.length)
})

test('slices of an object that was changed are never mixed, whichever worker has them', async (t) => {
  const { origin, crowd } = await stand(t, 4)
  const OTHER = randomBytes(LARGE.length)
  origin.objects['/large']!.fields['cache-control'] = 'max-age=1'
  let isDone = false
  const changing = (async () => {
    for (let version = 2; !isDone; version++) {
      await new Promise((resolve) => setTimeout(resolve, 150))
      origin.objects['/large'] = divisible(version % 2 === 0 ? OTHER : LARGE, `"${version}"`, 'max-age=1')
    }
  })()
  let whole = 0
  for (let round = 0; round < 15; round++) {
    const answers = await Promise.allSettled(Array.from({ length: 6 }, () => crowd(1)))
    for (const answer of answers) {
      // What was changed while it went out is cut.
      if (answer.status === 'rejected') continue
      const { body } = answer.value[0]!
      assert.ok(body.equals(LARGE) || body.equals(OTHER))
      whole += 1
    }
  }
  isDone = true
  await changing
  assert.ok(whole > 0)
})
