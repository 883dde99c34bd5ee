import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { Origin } from '../../contract/origin.ts'
import { ask, originOf, type OriginOptions } from './testing/ask.ts'
import { namedServer, type NamedServer } from './testing/named-server.ts'
import { until } from './testing/raw-server.ts'

async function poolOf(t: TestContext, names: string, options: OriginOptions) {
  const servers = await Promise.all([...names].map((name) => namedServer(name)))
  const origin = originOf(
    servers.map(({ url, name }) => ({ url, name })),
    { passive: false, ...options },
  )
  t.after(() => {
    origin.close()
    for (const server of servers) server.close()
  })
  return { servers, origin }
}

const asked = (servers: readonly NamedServer[]): number =>
  servers.reduce((sum, { requests }) => sum + requests.length, 0)

function sampleOf(origin: Origin, name: string, labels: Readonly<Record<string, string>> = {}): number {
  const found = origin
    .samples('s')
    .filter((sample) => sample.name === name)
    .filter((sample) => Object.entries(labels).every(([label, value]) => sample.labels[label] === value))
  return found.reduce((sum, { value }) => sum + Number(value), 0)
}

test('a request that one endpoint breaks off or answers with a status of the list goes to another', async (t) => {
  const { servers, origin } = await poolOf(t, 'ab', { retries: { on: ['closed', 503], budget: 1 } })
  servers[0]!.behaves = 503
  for (let i = 0; i < 4; i++) {
    const answer = await ask(origin, { target: `/${i}` }).over
    assert.equal(answer.body, 'b')
    assert.deepEqual(answer.told, ['head', 'data', 'end'])
  }
  assert.equal(sampleOf(origin, 'orla_origin_retries_total', { reason: '503' }), 2)
  servers[0]!.behaves = ({ socket }) => socket.end()
  for (let i = 0; i < 4; i++) assert.equal((await ask(origin).over).body, 'b')
  assert.ok(sampleOf(origin, 'orla_origin_retries_total', { reason: 'closed' }) >= 1)
})

test('a status that is not in the list is passed on, and so is the last answer when there are no more tries', async (t) => {
  const { servers, origin } = await poolOf(t, 'abcd', { retries: { on: [503], max: 2, budget: 1 } })
  for (const server of servers) server.behaves = 503
  const answer = await ask(origin).over
  assert.equal(answer.head?.status, 503)
  assert.equal(asked(servers), 3)
  for (const server of servers) server.behaves = 500
  assert.equal((await ask(origin).over).head?.status, 500)
  assert.equal(asked(servers), 4)
})

test('with one endpoint a status or a timeout is tried there again, a closed connection is not', async (t) => {
  const { servers, origin } = await poolOf(t, 'a', { retries: { on: [503, 'closed'], max: 3, budget: 1 } })
  let count = 0
  servers[0]!.behaves = ({ socket }) =>
    socket.write(`HTTP/1.1 ${++count < 3 ? 503 : 200} X\r\ncontent-length: 2\r\n\r\nok`)
  assert.equal((await ask(origin).over).head?.status, 200)
  assert.equal(count, 3)

  const slow = await poolOf(t, 'a', { retries: { on: ['timeout'], max: 1 }, times: { response: 40 } })
  let isFirst = true
  slow.servers[0]!.behaves = ({ socket }) => {
    if (!isFirst) socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n')
    isFirst = false
  }
  assert.equal((await ask(slow.origin).over).head?.status, 200)
  slow.servers[0]!.behaves = () => {}
  assert.equal((await ask(slow.origin).over).error?.code, 'origin-timeout-response')
  assert.equal(slow.servers[0]!.requests.length, 4)
})

test('nothing is tried again that might be done twice: POST, a body that was sent, an answer that has begun', async (t) => {
  const { servers, origin } = await poolOf(t, 'ab', {
    retries: { on: ['closed', 'timeout', 503], budget: 1 },
    times: { response: 50 },
  })
  for (const server of servers) server.behaves = 503
  assert.equal((await ask(origin, { method: 'POST' }).over).head?.status, 503)
  assert.equal(asked(servers), 1)
  const put = await ask(origin, { method: 'PUT', body: 4, pieces: ['body'] }).over
  assert.equal(put.head?.status, 503)
  for (const server of servers)
    server.behaves = ({ socket }) => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\npart')
  const cut = await ask(origin, { method: 'GET' }).over
  assert.deepEqual(cut.told, ['head', 'data', 'error'])
  for (const server of servers) server.behaves = () => {}
  assert.equal((await ask(origin, { method: 'POST' }).over).error?.code, 'origin-timeout-response')
  assert.equal(sampleOf(origin, 'orla_origin_retries_total'), 0)
})

test('the budget bounds what an origin in trouble is asked', async (t) => {
  const { servers, origin } = await poolOf(t, 'ab', { retries: { on: [503], max: 3, budget: 0.1 } })
  for (const server of servers) server.behaves = 503
  const answers = await Promise.all(Array.from({ length: 200 }, () => ask(origin).over))
  assert.ok(answers.every(({ head }) => head?.status === 503))
  // A tenth of 200, and three in reserve.
  assert.equal(asked(servers) - 200, 23)
  assert.equal(sampleOf(origin, 'orla_origin_retries_refused_total'), 200)
})

test('max bounds also how many endpoints are tried that cannot be reached; 0 tries none', async (t) => {
  for (const [max, code] of [
    [3, undefined],
    [2, 'origin-refused'],
    [0, 'origin-refused'],
  ] as const) {
    const { servers, origin } = await poolOf(t, 'abcd', { retries: { max } })
    for (const server of servers.slice(0, 3)) server.close()
    const answer = await ask(origin).over
    assert.equal(answer.error?.code, code)
    assert.equal(answer.told.length, code === undefined ? 3 : 1)
  }
})

test('who is full is passed over; when all are, the answer is 503 at once, with the bound that was reached', async (t) => {
  for (const [options, reason, message] of [
    [{ requestsMax: 1 }, 'requests', /as many requests as it may have \(1\)/],
    [{ connectionsMax: 1, pendingMax: 0 }, 'connections', /all 1 connections in use, and 0 requests wait/],
    [{ connectionsMax: 1, pendingMax: 1 }, 'pending', /all 1 connections in use, and 1 requests wait/],
  ] as const) {
    const { servers, origin } = await poolOf(t, 'ab', options)
    for (const server of servers) server.behaves = () => {}
    const room = reason === 'pending' ? 4 : 2
    const held = Array.from({ length: room }, () => ask(origin))
    await until('both are busy', () => asked(servers) === 2)
    const { error } = await ask(origin).over
    assert.equal(error?.code, 'origin-busy')
    assert.equal(error.status, 503)
    assert.match(error.message, message)
    assert.equal(sampleOf(origin, 'orla_origin_endpoint_overflows_total', { reason }), 1)
    // Room at one of them is enough.
    const own = held.findIndex(({ call }) => call.endpoint === servers[0]!.name)
    for (const { call } of held.filter((_, i) => i === own || reason === 'pending')) call.abort()
    const next = ask(origin)
    await until('it has a place', () => next.call.endpoint !== '')
    next.call.abort()
  }
})

test('what is under way is counted until it ends, however it ends', async (t) => {
  const { servers, origin } = await poolOf(t, 'a', {
    retries: { on: [503, 'timeout'], budget: 1 },
    times: { response: 60 },
  })
  const active = () => sampleOf(origin, 'orla_origin_endpoint_active')
  await ask(origin).over
  servers[0]!.behaves = 503
  await ask(origin).over
  servers[0]!.behaves = () => {}
  await ask(origin).over
  servers[0]!.behaves = ({ socket }) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nab')
  await ask(origin).over
  servers[0]!.behaves = ({ socket }) => socket.end('nonsense\r\n\r\n')
  await ask(origin).over
  servers[0]!.behaves = () => {}
  const gone = ask(origin)
  assert.equal(active(), 1)
  gone.call.abort()
  assert.equal(active(), 0)
  servers[0]!.close()
  await ask(origin).over
  assert.equal(active(), 0)
  const errors = origin.samples('s').filter(({ name }) => name === 'orla_origin_endpoint_errors_total')
  assert.deepEqual(Object.fromEntries(errors.map(({ labels, value }) => [labels['reason'], value])), {
    'timeout-response': 4,
    closed: 1,
    garbage: 1,
    refused: 1,
  })
})
