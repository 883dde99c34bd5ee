/** A pace on a real connection: what is told when, and what is left of a body that cannot be read on. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { StoredBody } from '../caching/stored-body.ts'
import type { ClientConnection } from '../client-connection.ts'
import { LAST, ok, TestServer } from '../connection.support.ts'
import type { Exchange } from '../exchange.ts'
import { PacedConnection } from './paced-connection.ts'

const server = new TestServer()
before(() => server.start())
after(() => server.stop())

/** What a pace asks of its request, on a clock of its own. */
function requestAt(monotonic: () => number): Exchange {
  const exchange = { node: { monotonic }, head: { method: 'GET' }, onDrain() {}, onGone() {} }
  return exchange as unknown as Exchange
}

const headOf = (bytes: number) => `HTTP/1.1 200 OK\r\ncontent-length: ${bytes}\r\n`

test('where a stored body is not what it was, the connection ends, and no request behind it is begun', async () => {
  const asked: string[] = []
  server.onRequest = (connection, { path }) => {
    asked.push(path)
    if (path === '/last') return ok(connection, 'b')
    const paced = new PacedConnection(
      connection,
      requestAt(() => performance.now()),
      { bytesPerSecond: 1e6, after: 0 },
    )
    const broken = { readIfWhole: () => undefined } as unknown as StoredBody
    const onSent = () => assert.fail('it was not sent')
    setImmediate(() => paced.sendStored(headOf(10), broken, onSent, { start: 0, end: 10 }))
  }
  const answer = await server.talk(`GET /broken HTTP/1.1\r\nHost: a\r\n\r\n${LAST}`)
  assert.doesNotMatch(answer, /\r\n\r\n./)
  assert.deepEqual(asked, ['/broken'])
})

test('of two paces behind each other, all has left when it has left the slower one', async () => {
  const told: string[] = []
  server.onRequest = (connection) => {
    const pace = (real: ClientConnection, bytesPerSecond: number) =>
      new PacedConnection(
        real,
        requestAt(() => performance.now()),
        { bytesPerSecond, after: 0 },
      )
    const slow = pace(connection, 20_000)
    const fast = pace(slow, 1e6)
    fast.sendWhole(headOf(3000), Buffer.alloc(3000, 'a'))
    slow.whenSent(() => told.push('slow'))
    fast.whenSent(() => told.push('fast'))
  }
  assert.match(await server.talk(LAST), /a{3000}$/)
  assert.deepEqual(told, ['slow', 'fast'])
})

test('a pace that is faster than timers are is kept all the same', async () => {
  let looks = 0
  server.onRequest = (connection) => {
    const clock = () => (looks += 1) * 10
    const pace = { bytesPerSecond: 1e9, after: 0 }
    new PacedConnection(connection, requestAt(clock), pace).sendWhole(headOf(8e6), Buffer.alloc(8e6, 'a'))
  }
  assert.equal((await server.talk(LAST)).length, (await server.talk(LAST)).length)
  assert.ok(looks < 60, `ten megabytes each time it looks, and it looked ${looks} times`)
})
