/** Who is kept out of a worker: at the door, and when the ban comes while he is in. */
import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { test } from 'node:test'
import { eventually } from '../../test/harness/eventually.ts'
import type { LimitConfig } from '../config/schema.ts'
import type { CountedRefusals, FromWorker } from '../contract/messages.ts'
import { Banning } from './banning.ts'
import { TestServer } from './connection.support.ts'

function banningOf(bans: readonly string[] = [], never: readonly string[] = []) {
  const told: FromWorker[] = []
  const added: number[] = []
  const parts = { tell: (message: FromWorker) => void told.push(message), onAdded: () => void added.push(1) }
  const banning = new Banning(parts, { bans, never })
  const refusals = () =>
    told.flatMap((message): readonly CountedRefusals[] =>
      message.kind === 'refusals' ? message.refusals : [],
    )
  return { banning, told, added, refusals }
}

test('an address is kept out as sockets and proxies write it, but where it is never banned', () => {
  const { banning } = banningOf(
    ['192.0.2.0/24', '2001:db8::/32', 'fe80::/64'],
    ['192.0.2.9', '2001:db8:7::/48'],
  )
  for (const out of ['192.0.2.7', '::ffff:192.0.2.7', '2001:DB8::1', 'fe80::1%eth0'])
    assert.ok(banning.keepsOut(out), out)
  for (const welcome of [
    '192.0.2.9',
    '192.0.3.7',
    '2001:db8:7::1',
    '2001:db9::1',
    '',
    'unknown',
    '/run/socket',
  ])
    assert.ok(!banning.keepsOut(welcome), welcome)
})

test('changes come one by one, and all at once', () => {
  const { banning, added } = banningOf(['192.0.2.7'])
  banning.use({ added: ['192.0.2.8'], removed: ['192.0.2.7'] })
  assert.deepEqual([banning.keepsOut('192.0.2.7'), banning.keepsOut('192.0.2.8')], [false, true])
  banning.use({ added: [], removed: [], never: ['192.0.2.8'] })
  assert.equal(banning.keepsOut('192.0.2.8'), false)
  banning.use({ added: [], removed: ['192.0.2.8', '192.0.2.99'] })
  assert.ok(banning.isEmpty)
  assert.equal(added.length, 1, 'nobody has to go where nobody is added')
  banning.use({ bans: ['198.51.100.0/24'], never: [] })
  assert.deepEqual([banning.keepsOut('198.51.100.7'), added.length], [true, 2])
})

const limit = (more: object) => ({
  name: 'login',
  site: 'shop',
  config: {
    kind: 'rate',
    prefixes: { v4: [{ length: 32 }], v6: [{ length: 64 }, { length: 48 }] },
    ban: { after: 3, within: 60_000, for: 600_000 },
    ...more,
  } as unknown as LimitConfig,
})

test('refusals of a moment are told together, by what one client has of addresses', async () => {
  const { banning, refusals } = banningOf([], ['203.0.113.0/24'])
  for (let i = 0; i < 1000; i++) banning.refused('192.0.2.7', limit({}))
  banning.refused('2001:db8:1:2:3:4:5:6', limit({}))
  banning.refused('2001:db8:1:2:ffff::', limit({}))
  banning.refused('2001:db8:1:3::', { ...limit({}), site: '' })
  banning.refused('203.0.113.7', limit({}))
  banning.refused('198.51.100.7', limit({ ban: undefined }))
  banning.refused('unknown', limit({}))
  assert.deepEqual(refusals(), [])
  await eventually(() => refusals().length > 0)
  assert.deepEqual(
    refusals().map(({ prefix, limit: name, count, after, withinMs, forMs }) => [
      prefix,
      name,
      count,
      after,
      withinMs,
      forMs,
    ]),
    [
      ['192.0.2.7', 'shop/login', 1000, 3, 60_000, 600_000],
      ['2001:db8:1:2::/64', 'shop/login', 2, 3, 60_000, 600_000],
      ['2001:db8:1:3::/64', 'login', 1, 3, 60_000, 600_000],
    ],
  )
  banning.close()
})

test('whoever asks for a ban is told what became of it, and not too many are asked for at once', async () => {
  const { banning, told } = banningOf()
  const request = { prefix: '192.0.2.7', forMs: 1000, reason: 'x', by: 'unit a' }
  const first = banning.ban(request)
  assert.deepEqual(told, [{ kind: 'ban', id: 1, ban: request }])
  banning.done(7, { prefix: 'x', until: 0 })
  banning.done(1, { prefix: '192.0.2.7', until: 5 })
  assert.deepEqual(await first, { prefix: '192.0.2.7', until: 5 })
  for (let i = 0; i < 1000; i++) void banning.ban(request)
  assert.deepEqual(Object.keys(await banning.ban(request)), ['code', 'message'])
})

test('of an address that is refused again and again, one line a minute is news', () => {
  const { banning } = banningOf()
  assert.deepEqual(
    [0, 1, 59_999, 60_000, 60_001].map((now) => banning.isNews('192.0.2.7', now)),
    [true, false, false, true, false],
  )
  assert.equal(banning.isNews('192.0.2.8', 60_001), true)
  for (let i = 0; i < 2000; i++) banning.isNews(`10.0.${i >> 8}.${i & 255}`, 60_002)
  assert.equal(banning.isNews('192.0.2.7', 60_003), true, 'what is remembered is bounded')
})

test('a connection of somebody who is banned is reset before it is read, and others are let in', async (t) => {
  const { banning } = banningOf()
  const server = new TestServer(banning)
  await server.start()
  t.after(() => server.stop())
  server.onRequest = (connection) => connection.sendWhole('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n', 'hi')
  const ask = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'
  assert.match(await server.talk(ask), /hi$/)
  banning.use({ added: ['127.0.0.1'], removed: [] })
  assert.equal(await endOf(server.port), 'ECONNRESET')
  assert.equal(await server.talk(ask), '')
  assert.equal(server.metrics.connectionsTotal, 1)
  assert.equal(banning.samples().find(({ labels }) => labels['at'] === 'accept')?.value, 2)
  banning.use({ added: [], removed: ['127.0.0.1'] })
  assert.match(await server.talk(ask), /hi$/)
})

test('a ban that comes ends what is open: a quiet connection, and one in the middle of an answer', async (t) => {
  const { banning } = banningOf()
  const server = new TestServer(banning)
  await server.start()
  t.after(() => server.stop())
  let begun = 0
  server.onRequest = (connection) => {
    begun += 1
    connection.startStream('HTTP/1.1 200 OK\r\n', 'unknown')
    connection.sendChunk(Buffer.from('a piece'))
  }
  const quiet = endOf(server.port)
  const busy = endOf(server.port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  await eventually(() => server.metrics.connections === 2 && begun === 1)
  banning.use({ added: ['127.0.0.0/8'], removed: [] })
  server.closeBanned()
  assert.deepEqual(await Promise.all([quiet, busy]), ['ECONNRESET', 'ECONNRESET'])
  await eventually(() => server.metrics.connections === 0)
})

/** How a connection ends: the code of its error, or `end`. */
function endOf(port: number, text = ''): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => void (text !== '' && socket.write(text)))
    socket.on('data', () => {})
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''))
    socket.on('close', () => resolve('end'))
  })
}
