/** What a source of units may meet: servers that are none, wrong passwords, keys of the wrong kind, units that ask for what they may not; and a thousand units. */
import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'
import type { ConfigInput } from '../../src/config/schema.ts'
import type { SourceSummary } from '../../src/control/source-shapes.ts'
import { eventually } from '../harness/eventually.ts'
import { startNode, type TestNode } from '../harness/node.ts'
import { startRedis } from '../harness/redis.ts'

type SourceInput = NonNullable<ConfigInput['sources']>[number]

const follow = (t: TestContext, ...sources: SourceInput[]) =>
  startNode(t, { config: { sources: sources.map((source) => ({ everySeconds: 0.2, ...source })) } })

async function statesOf(node: TestNode): Promise<readonly SourceSummary[]> {
  return JSON.parse((await node.api('GET', '/v1/sources')).text) as SourceSummary[]
}

const problemOf = (node: TestNode, at = 0): Promise<string> =>
  eventually(async () => (await statesOf(node))[at]?.problem)

const statesHold = (node: TestNode, holds: (source: SourceSummary) => boolean): Promise<unknown> =>
  eventually(async () => holds((await statesOf(node))[0]!), { what: () => node.stderr() })

/** Says the same to whoever says anything. */
async function startTalker(t: TestContext, answer: string | Buffer): Promise<string> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.on('data', () => socket.write(answer))
  })
  t.after(() => server.close())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `redis://127.0.0.1:${(server.address() as AddressInfo).port}`
}

test('what answers is no Redis, or does not answer', async (t) => {
  const garbage = await startTalker(t, 'HTTP/1.1 400 Bad Request\r\n\r\n')
  const noise = await startTalker(t, Buffer.from([0, 255, 13, 10, 1, 2, 3]))
  const wrong = await startTalker(t, ':1\r\n')
  const silent = await startTalker(t, '')
  const urls = [garbage, noise, wrong, silent, 'redis://127.0.0.1:1']
  const node = await follow(t, ...urls.map((url): SourceInput => ({ kind: 'redis', url, timeout: '500ms' })))
  for (const [at, url] of urls.entries()) {
    const problem = await problemOf(node, at)
    assert.ok(problem.length > 5, `${url}: ${problem}`)
  }
  // It serves on, and deploys.
  await node.deploy('hello', `export default { content: () => new Response('hi') }`)
  assert.equal((await node.request('/')).text, 'hi')
  assert.equal((await statesOf(node)).flatMap(({ units }) => units).length, 0)
})

test('a password that is wrong, and one that is right; neither is shown', async (t) => {
  const redis = await startRedis(t, { args: ['--requirepass', 'seven seas'] })
  const cli = (...args: string[]) => redis.cli('--no-auth-warning', '-a', 'seven seas', ...args)
  await cli('set', 'say', `content||return new Response(await redis_client.get('word'))`)
  await cli('sadd', 'coding_units', 'say')
  await cli('set', 'word', 'ola')
  const wrong = redis.url.replace('//', '//:seven%20rivers@')
  const right = redis.url.replace('//', '//:seven%20seas@')
  const node = await follow(
    t,
    { kind: 'redis', name: 'none', url: redis.url },
    { kind: 'redis', name: 'wrong', url: wrong },
    { kind: 'redis', name: 'right', url: right },
  )
  assert.match(await problemOf(node, 0), /NOAUTH/)
  assert.match(await problemOf(node, 1), /WRONGPASS|invalid password/)
  assert.equal(
    await eventually(async () => {
      const { status, text } = await node.request('/')
      return status === 200 && text
    }),
    'ola',
  )
  const all =
    (await node.api('GET', '/v1/sources')).text + (await node.api('GET', '/v1/log')).text + node.stderr()
  assert.doesNotMatch(all, /seven/)
})

test('a set that is none is told, and what is live stays', async (t) => {
  const redis = await startRedis(t)
  await redis.cli('set', 'say', `content||return new Response('ola')`)
  await redis.cli('sadd', 'coding_units', 'say')
  const node = await follow(t, { kind: 'redis', url: redis.url })
  await eventually(async () => (await node.request('/')).text === 'ola')
  await redis.cli('rename', 'coding_units', 'aside')
  await redis.cli('lpush', 'coding_units', 'say')
  assert.match(
    await problemOf(node),
    /the key `coding_units` holds a list; it is to be a set or a sorted set/,
  )
  assert.equal((await node.request('/')).text, 'ola')
  await redis.cli('rename', 'aside', 'coding_units')
  await statesHold(node, ({ problem }) => problem === undefined)
})

test('a unit gives no command beyond the values of keys, and has the time that it has', async (t) => {
  const redis = await startRedis(t)
  await redis.cli(
    'set',
    'try',
    `content||const { query } = request
try {
  const given = query.getAll('a')
  return Response.json(await redis_client[query.get('c')](...given) ?? null)
} catch (error) {
  return Response.json(error.name + ' ' + error.code + ' ' + error.message, { status: 400 })
}`,
  )
  await redis.cli('sadd', 'coding_units', 'try')
  const node = await follow(t, { kind: 'redis', url: redis.url })
  await statesHold(node, ({ units }) => units[0]?.state === 'live')
  const give = async (command: string, ...args: string[]) => {
    const query = new URLSearchParams([['c', command], ...args.map((arg) => ['a', arg] as [string, string])])
    return (await node.request(`/?${query.toString()}`)).text
  }
  for (const command of [
    'flushall',
    'keys',
    'eval',
    'config',
    'shutdown',
    'script',
    'subscribe',
    'blpop',
    'multi',
    'select',
    '__proto__',
    'hasOwnProperty',
  ])
    assert.match(
      await give(command, 'x'),
      /TypeError undefined redis_client\.\w+: no unit may give this command/,
      command,
    )
  assert.match(await give('get'), /redis-invalid redis_client: `get` takes a key/)
  await redis.cli('set', 'text', 'no number')
  assert.match(await give('incr', 'text'), /Error redis-refused redis_client: ERR value is not an integer/)

  const answers: readonly (readonly [answer: unknown, command: string, ...args: string[]])[] = [
    ['OK', 'set', 'a', '1'],
    ['1', 'get', 'a'],
    [null, 'get', 'nothing'],
    [2, 'incr', 'a'],
    [12, 'incrby', 'a', '10'],
    [11, 'decr', 'a'],
    [1, 'exists', 'a'],
    [1, 'expire', 'a', '100'],
    [100, 'ttl', 'a'],
    ['OK', 'setex', 'b', '50', 'x'],
    [2, 'hset', 'h', 'f', '1', 'g', '2'],
    ['1', 'hget', 'h', 'f'],
    [{ f: '1', g: '2' }, 'hGetAll', 'h'],
    [{}, 'hgetall', 'nothing'],
    [2, 'sadd', 's', 'x', 'y'],
    [1, 'sismember', 's', 'x'],
    [2, 'scard', 's'],
    [2, 'zadd', 'z', '2', 'two', '1', 'one'],
    [['one', 'two'], 'zrange', 'z', '0', '-1'],
    [2, 'lpush', 'l', 'b', 'a'],
    [3, 'rpush', 'l', 'c'],
    [['a', 'b', 'c'], 'lrange', 'l', '0', '-1'],
    [2, 'del', 'a', 'b'],
    ['olá 🌊', 'getset', 'u', 'x'],
  ]
  await redis.cli('set', 'u', 'olá 🌊')
  for (const [answer, command, ...args] of answers) {
    const text = await give(command, ...args)
    const given: unknown = JSON.parse(text)
    if (command === 'ttl') assert.ok(Number(given) > 0, text)
    else assert.deepEqual(given, answer, command)
  }

  await t.test('more than an answer may hold is refused', async () => {
    await redis.cli('set', 'large', 'x'.repeat(100))
    await redis.cli('setrange', 'large', String(5 * 1024 * 1024), 'x')
    assert.match(await give('get', 'large'), /redis-invalid redis_client: the answer is \d+ characters long/)
  })
})

test('of a thousand units those in JavaScript are live, and the others are told in few lines', async (t) => {
  const redis = await startRedis(t)
  const names = Array.from({ length: 1000 }, (_, at) => `unit-${at}`)
  const isOurs = (at: number) => at % 20 === 0
  const code = (at: number) =>
    isOurs(at)
      ? `content||if (request.path === '/${at}') return new Response('${at}')`
      : 'access||return ngx.exit(403)'
  await redis.cli('mset', ...names.flatMap((name, at) => [name, code(at)]))
  await redis.cli('sadd', 'coding_units', ...names)
  const node = await follow(t, { kind: 'redis', url: redis.url })
  await statesHold(node, ({ units }) => units.length === 1000)
  const { units, readAt } = (await statesOf(node))[0]!
  const count = (state: string) => units.filter((unit) => unit.state === state).length
  assert.deepEqual([count('live'), count('aside')], [50, 950])
  const lines = node
    .stderr()
    .split('\n')
    .filter((line) => line.includes('the source'))
  assert.equal(lines.length, 21)
  assert.match(lines.at(-1)!, /930 more units are not live: see `orla sources`$/)

  const epoch = async () =>
    (JSON.parse((await node.api('GET', '/v1/edges')).text) as { epoch: number }[])[0]!.epoch
  const before = await epoch()
  await statesHold(node, (source) => source.readAt !== readAt)
  assert.equal(await epoch(), before)
  await redis.cli('set', 'unit-500', `content||return new Response('changed')`)
  await eventually(async () => (await epoch()) > before)
  // A version and the pointer to it.
  assert.equal(await epoch(), before + 2)
})
