/** Commands of units on their way to a real Redis: what a sandbox may forge, whose unit it is, and what waits. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import * as v from 'valibot'
import { systemClock } from '../base/clock.ts'
import { RedisSource } from '../config/source-schema.ts'
import { newCallAccount, type CallKind, type HostAnswer, type HostCall } from '../contract/host-calls.ts'
import { DEFAULT_MANIFEST, type UnitVersion } from '../contract/unit.ts'
import { eventually } from '../../test/harness/eventually.ts'
import { startRedis } from '../../test/harness/redis.ts'
import { RedisCalls } from './redis-calls.ts'

const source = (url: string, more: object = {}) =>
  v.parse(RedisSource, { kind: 'redis', name: 'legacy', url, timeout: '300ms', ...more })

function unitOf(from: string | undefined, wallMs = 2000): UnitVersion {
  const limits = { ...DEFAULT_MANIFEST.limits, wallMs }
  const manifest = { ...DEFAULT_MANIFEST, limits }
  const unit = { name: 'u', version: 1, code: '', sourceMap: '', phases: 1, manifest, env: {} }
  return from === undefined ? unit : { ...unit, source: from }
}

async function stand(t: TestContext, more: object = {}) {
  const redis = await startRedis(t)
  const calls = new RedisCalls([source(redis.url, more)], systemClock)
  t.after(() => calls.close())
  const send = (kind: CallKind, head: string, unit = unitOf('legacy')) =>
    new Promise<HostAnswer>((resolve) => {
      const account = newCallAccount()
      const call: HostCall = { unit, kind, head, body: '', isBytes: false, account }
      calls.start(call, resolve)
    })
  const give = (command: string, ...args: string[]) =>
    send(/^(?:get|strlen)$/.test(command) ? 'redis.read' : 'redis.write', JSON.stringify({ command, args }))
  return { redis, calls, send, give }
}

const codeOf = ({ ok, head }: HostAnswer) => (ok ? 'ok' : (JSON.parse(head) as { code: string }).code)

test('what a sandbox may forge is refused before it leaves', async (t) => {
  const { redis, send } = await stand(t)
  await redis.cli('set', 'k', 'v')
  const heads: readonly (readonly [kind: CallKind, head: string])[] = [
    ['redis.write', ''],
    ['redis.write', 'null'],
    ['redis.write', '[]'],
    ['redis.write', '{"command":"flushall","args":["k"]}'],
    ['redis.write', '{"command":"FLUSHALL","args":["k"]}'],
    ['redis.write', '{"command":"set","args":"k"}'],
    ['redis.write', '{"command":"set","args":[]}'],
    ['redis.write', '{"command":"set","args":["k",1]}'],
    ['redis.write', '{"command":"set","args":["k",["x"]]}'],
    ['redis.write', '{"command":["set"],"args":["k","x"]}'],
    ['redis.write', '{"command":"set\\r\\nFLUSHALL","args":["k","x"]}'],
    // Who reads is run again after a crash.
    ['redis.read', '{"command":"del","args":["k"]}'],
    ['redis.write', '{"command":"get","args":["k"]}'],
  ]
  for (const [kind, head] of heads) assert.equal(codeOf(await send(kind, head)), 'redis-invalid', head)
  assert.equal(await redis.cli('get', 'k'), 'v')
})

test('an argument is one, whatever stands in it', async (t) => {
  const { redis, give } = await stand(t)
  const odd = 'a\r\n*1\r\n$8\r\nFLUSHALL\r\n\u0000 🌊'
  assert.equal(codeOf(await give('set', odd, odd)), 'ok')
  assert.equal(JSON.parse((await give('get', odd)).head), odd)
  assert.equal(await redis.cli('dbsize'), '1')
})

test('only a unit of a source reaches its Redis, and by that name', async (t) => {
  const { calls, redis, send } = await stand(t)
  const head = '{"command":"get","args":["k"]}'
  assert.equal(codeOf(await send('redis.read', head, unitOf(undefined))), 'redis-invalid')
  assert.equal(codeOf(await send('redis.read', head, unitOf('other'))), 'redis-invalid')
  assert.equal(codeOf(await send('redis.read', head)), 'ok')
  calls.use([])
  assert.match((await send('redis.read', head)).head, /the source legacy is not configured any more/)
  calls.use([source(redis.url)])
  assert.equal(codeOf(await send('redis.read', head)), 'ok')
})

test('what is configured the same keeps its connection', async (t) => {
  const { calls, redis, give } = await stand(t)
  await give('get', 'k')
  const connections = async () => Number(await redis.info('total_connections_received'))
  const before = await connections()
  calls.use([source(redis.url)])
  for (let at = 0; at < 100; at++) assert.equal(codeOf(await give('incr', 'n')), 'ok')
  // Each `redis-cli` is one, too.
  assert.equal(await connections(), before + 1)
})

test('while it is away commands fail at once, and go on once it is back', async (t) => {
  const { redis, give } = await stand(t)
  assert.equal(codeOf(await give('get', 'k')), 'ok')
  await redis.kill()
  const startedAt = performance.now()
  const outcomes = await Promise.all(Array.from({ length: 200 }, () => give('get', 'k')))
  assert.ok(outcomes.every((outcome) => codeOf(outcome) === 'redis-unavailable'))
  assert.ok(performance.now() - startedAt < 10_000)
  await redis.start()
  await eventually(async () => codeOf(await give('get', 'k')) === 'ok')
})

test('where it stands still, a command has the time of its unit', async (t) => {
  const { redis, send, give } = await stand(t)
  assert.equal(codeOf(await give('get', 'k')), 'ok')
  redis.signal('SIGSTOP')
  const late = await send('redis.read', '{"command":"get","args":["k"]}', unitOf('legacy', 100))
  assert.match(late.head, /no answer within 100 ms/)
  redis.signal('SIGCONT')
  await eventually(async () => codeOf(await give('get', 'k')) === 'ok')
})

test('commands at once are answered each with its own', async (t) => {
  const { redis, give } = await stand(t)
  await redis.cli('mset', ...Array.from({ length: 500 }, (_, at) => [`k${at}`, `v${at}`]).flat())
  const answers = await Promise.all(Array.from({ length: 500 }, (_, at) => give('get', `k${at}`)))
  for (const [at, { head }] of answers.entries()) assert.equal(JSON.parse(head), `v${at}`)
})
