/** The pace by an own clock: what becomes of it where timers come late, and where nothing is sent for a while. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { PacedConnection } from './paced-connection.ts'

const RATE = 8 * 1024 * 1024
/** What it takes no longer to be told that there is room. */
const QUANTUM = 64 * 1024

/** A way to a client that takes all at once, and the milliseconds that each timer comes too late. */
function paced(t: TestContext, lateMs: number) {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  let now = 1000
  let sent = 0
  const real = {
    attach: () => {},
    startStream: () => {},
    sendChunk: ({ length }: Buffer) => ((sent += length), true),
  }
  const exchange = { head: { method: 'GET' }, node: { monotonic: () => now }, onDrain: () => {} }
  const connection = new PacedConnection(real as never, exchange as never, { bytesPerSecond: RATE, after: 0 })
  return {
    connection,
    sent: () => sent,
    /** Each timer finds that more time has passed than it asked for. */
    pass(ms: number) {
      for (const end = now + ms; now < end;) {
        now += 8 + lateMs
        t.mock.timers.tick(8 + lateMs)
      }
    },
    idle(ms: number) {
      now += ms
    },
  }
}

test('a machine that is busy, so that timers come late, keeps the pace', (t) => {
  const { connection, sent, pass } = paced(t, 12)
  connection.startStream('', 'length')
  connection.sendChunk(Buffer.alloc(2 * RATE))
  pass(1000)
  assert.ok(sent() > RATE * 0.97 && sent() <= RATE + QUANTUM + RATE * 0.02, `${sent()} of ${RATE}`)
})

test('what is not sent for long is not saved up, and nothing before there is a body', (t) => {
  const { connection, sent, idle } = paced(t, 0)
  idle(60_000)
  connection.startStream('', 'length')
  connection.sendChunk(Buffer.alloc(QUANTUM))
  assert.equal(sent(), QUANTUM)
  idle(60_000)
  connection.sendChunk(Buffer.alloc(2 * RATE))
  assert.ok(sent() <= QUANTUM + RATE / 4, `${sent()}`)
})
