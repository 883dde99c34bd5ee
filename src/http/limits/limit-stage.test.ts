/** The way of a request through its limits: in order, parked where one has to be waited for, and over where its client has gone. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkConfig } from '../../config/check.ts'
import type { Decision } from '../../limit/limiter.ts'
import type { Exchange } from '../exchange.ts'
import { rateFields } from './limit-fields.ts'
import { askLimits } from './limit-stage.ts'
import type { RequestLimit } from './request-limit.ts'

const ALLOWED: Decision = { allowed: true, remaining: 1, retryAfterMs: 0, resetMs: 1500 }
const REFUSED: Decision = { allowed: false, remaining: 0, retryAfterMs: 2500, resetMs: 9000 }

/** A limit that says this, whoever asks. */
function limit(name: string, says: ReturnType<RequestLimit['ask']>, more: object = {}): RequestLimit {
  const result = checkConfig({ limits: [{ name, rate: '2/10s', key: 'all', ...more }] })
  assert.ok(result.kind === 'config')
  const [config] = result.config.limits
  assert.ok(config?.kind === 'rate')
  const counts = { allowed: 0, refused: 0, dry_run: 0, waited: 0 }
  const fields = rateFields(config)
  return {
    name,
    site: '',
    config,
    counts,
    fields,
    status: config.status,
    allows: '2 in 10 s',
    ask: () => says,
  }
}

function request(limits: readonly RequestLimit[]) {
  const said: string[] = []
  const ends: (() => void)[] = []
  const exchange = {
    whenOver: (then: () => void) => ends.push(then),
    site: undefined,
    node: { limits, now: () => 0 },
    gone: false,
    isDebugShown: true,
    limit: '',
    limitFields: '',
    limitNotes: '',
    answerWhole: ({ status, fields }: { status: number; fields: string }) =>
      said.push(`${status} ${/retry-after: (\d+)/.exec(fields)?.[1] ?? 'never'}`),
  }
  const verdict = askLimits(exchange as unknown as Exchange, () => void said.push('goes on'))
  return { exchange, said, ends, verdict }
}

/** All that promises have to say. */
const settled = () => new Promise((resolve) => setImmediate(resolve))

test('all limits are told in one line of each field, in their order', () => {
  const { exchange, verdict } = request([limit('a', ALLOWED), limit('b', undefined), limit('c', ALLOWED)])
  assert.equal(verdict, 'next')
  assert.equal(
    exchange.limitFields,
    'ratelimit-policy: "a";q=2;w=10, "c";q=2;w=10\r\nratelimit: "a";r=1;t=2, "c";r=1;t=2\r\n',
  )
  assert.equal(exchange.limitNotes, 'a allowed 1, c allowed 1')
})

test('the first that refuses answers, and none behind it is asked', () => {
  const last = limit('c', ALLOWED)
  const { exchange, said, verdict } = request([limit('a', ALLOWED), limit('b', REFUSED), last])
  assert.equal(verdict, 'taken')
  assert.deepEqual(said, ['429 3'])
  assert.equal(exchange.limit, 'b refused')
  assert.equal(last.counts.allowed, 0)
})

test('what will never be allowed is told no time', () => {
  const { said } = request([limit('a', { ...REFUSED, retryAfterMs: Number.POSITIVE_INFINITY })])
  assert.deepEqual(said, ['429 never'])
})

test('a request is parked where one has to be waited for, and goes on with those behind it', async () => {
  const { said, verdict, exchange } = request([
    limit('a', Promise.resolve(ALLOWED)),
    limit('b', ALLOWED),
    limit('c', Promise.resolve(ALLOWED)),
  ])
  assert.equal(verdict, 'taken')
  await settled()
  assert.deepEqual(said, ['goes on'])
  assert.match(exchange.limitFields, /"a".*"b".*"c".*\r\n/)
})

test('it may be refused then, or be none of its requests', async () => {
  const refused = request([limit('a', Promise.resolve(undefined)), limit('b', Promise.resolve(REFUSED))])
  await settled()
  assert.deepEqual(refused.said, ['429 3'])
})

test('a client that has gone meanwhile is asked about no more', async () => {
  const last = limit('b', ALLOWED)
  const { exchange, said } = request([limit('a', Promise.resolve(ALLOWED)), last])
  exchange.gone = true
  await settled()
  assert.deepEqual(said, [])
  assert.equal(last.counts.allowed, 0)
})

test('who has to wait goes on later, but for a dry run', async () => {
  const wait = { ...ALLOWED, waitMs: 5 }
  const { said, verdict } = request([limit('a', wait), limit('b', ALLOWED)])
  assert.equal(verdict, 'taken')
  assert.deepEqual(said, [])
  while (said.length === 0) await settled()
  assert.deepEqual(said, ['goes on'])
  assert.equal(request([limit('a', wait, { dryRun: true })]).verdict, 'next')
})

test('of a client that goes while it waits, nothing is kept', () => {
  const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
  const before = timers()
  const { ends } = request([limit('a', { ...ALLOWED, waitMs: 60_000 })])
  assert.equal(timers(), before + 1)
  for (const then of ends) then()
  assert.equal(timers(), before)
})

test('a window that is no whole number of seconds is not told', () => {
  const result = checkConfig({ limits: [{ name: 'a', rate: '5/200ms' }] })
  assert.ok(result.kind === 'config' && result.config.limits[0]?.kind === 'rate')
  assert.equal(rateFields(result.config.limits[0])!.policy, '"a";q=5')
})
