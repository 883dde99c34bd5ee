import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { Clock } from '../../base/clock.ts'
import type { Origin } from '../../contract/origin.ts'
import { ask, originOf } from './testing/ask.ts'
import { rawServer, until, type RawConnection } from './testing/raw-server.ts'

/** Stands still where no test lets it go on: a machine that stands still makes nobody late. */
class HeldClock implements Clock {
  private ms = 0
  private looks = 0

  now(): number {
    return this.ms
  }

  monotonic(): number {
    this.looks += 1
    return this.ms
  }

  /** Resolves when the deadlines have been compared with the new time. For when nobody else looks at it. */
  async pass(ms: number): Promise<void> {
    this.ms += ms
    const { looks } = this
    await until('the deadlines are looked at', () => this.looks > looks)
  }
}

interface Held {
  readonly origin: Origin
  readonly clock: HeldClock
  /** The connection to the server, once a request's head has come on it. */
  asked(): Promise<RawConnection>
}

/** An origin that has 50 ms of a held clock to answer. */
async function held(t: TestContext, onData: (connection: RawConnection) => void = () => {}): Promise<Held> {
  const server = await rawServer(onData)
  const clock = new HeldClock()
  const origin = originOf([server.url], { times: { response: 50 } }, { clock })
  // Also after a failure: the process of this file would not end while the server listens.
  t.after(() => {
    origin.close()
    server.close()
  })
  return {
    origin,
    clock,
    async asked() {
      await until('the head arrived', () => server.connections[0]?.received.includes('\r\n\r\n') === true)
      return server.connections[0]!
    },
  }
}

test('an origin that does not answer in time is given up', async (t) => {
  const server = await rawServer(() => {})
  t.after(() => server.close())
  const origin = originOf([server.url], { times: { response: 50 } })
  const answer = await ask(origin).over
  assert.equal(answer.error?.code, 'origin-timeout-response')
  assert.equal(answer.error.status, 504)
  assert.equal(answer.error.message, `${server.url} did not answer within 50 ms`)
  await until('the connection is closed', () => server.connections[0]!.isClosed)
})

test('an origin that stops in the middle of its answer is given up', async (t) => {
  const { origin, clock } = await held(t, ({ socket }) =>
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart'),
  )
  const answer = ask(origin)
  await until('the part arrived', () => answer.body === 'part')
  await clock.pass(60)
  await answer.over
  assert.deepEqual(answer.told, ['head', 'data', 'error'])
  assert.match(answer.error!.message, /sent nothing more of its answer within 50 ms/)
})

test('interim answers do not buy time', async (t) => {
  const { origin, clock, asked } = await held(t)
  const answer = ask(origin)
  const { socket } = await asked()
  for (const told of [['102'], ['102', '102']]) {
    assert.equal(answer.isOver, false)
    socket.write('HTTP/1.1 102 Processing\r\n\r\n')
    await until('it is told', () => answer.told.length === told.length)
    assert.deepEqual(answer.told, told)
    await clock.pass(30)
  }
  assert.equal(answer.error?.code, 'origin-timeout-response')
})

test('an answer that keeps coming may take longer than the time between two pieces', async (t) => {
  const { origin, clock, asked } = await held(t)
  const answer = ask(origin)
  const { socket } = await asked()
  socket.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n')
  await until('the head is told', () => answer.head !== undefined)
  for (let sent = 1; sent <= 5; sent += 1) {
    await clock.pass(30)
    assert.equal(answer.error, undefined)
    socket.write('x')
    await until('the piece is told', () => answer.body.length === sent)
  }
  await answer.over
  assert.equal(answer.error, undefined)
})

test('the time of a slow client is not the time of the origin', async (t) => {
  const { origin, clock, asked } = await held(t, ({ socket, received }) => {
    if (received.endsWith('body')) socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone`)
  })
  let isPaused = false
  const answer = ask(origin, {
    method: 'POST',
    body: 4,
    onData: () => {
      isPaused = true
      return false
    },
  })
  await asked()
  await clock.pass(500)
  assert.equal(answer.isOver, false)
  answer.call.write(Buffer.from('body'))
  answer.call.end()
  await until('the answer is paused', () => isPaused)
  await answer.over
  assert.equal(answer.error, undefined)
  assert.equal(answer.body, 'done')
})

test('a handler that pauses is not held against the origin', async (t) => {
  const { origin, clock, asked } = await held(t, ({ socket }) =>
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf'),
  )
  let pauses = 0
  const answer = ask(origin, { onData: () => pauses++ > 0 })
  await until('it is paused', () => pauses === 1)
  const { socket } = await asked()
  socket.write('rest')
  await clock.pass(500)
  assert.equal(answer.isOver, false)
  answer.call.resume()
  assert.equal((await answer.over).body, 'halfrest')
})
