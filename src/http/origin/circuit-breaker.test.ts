import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CircuitBreaker } from './circuit-breaker.ts'
import { ask, originOf } from './testing/ask.ts'
import { rawServer } from './testing/raw-server.ts'

function breaker() {
  const told: string[] = []
  const options = { failures: 0.5, requests: 4, window: 1000, open: 100, openMax: 350, status: [503] }
  return { one: new CircuitBreaker(options, (what) => told.push(what)), told }
}

/** So many answers of this status, each sent a moment before. */
function answer(one: CircuitBreaker, status: number, count: number, nowMs: number): void {
  for (let i = 0; i < count; i += 1) one.onAnswer(status, nowMs - 1, nowMs)
}

test('it opens at a share of failures, once there are enough answers within the window', () => {
  const { one, told } = breaker()
  answer(one, 503, 3, 10)
  assert.equal(one.state(10), 'closed', 'three tell too little')
  answer(one, 200, 4, 20)
  answer(one, 503, 1, 30)
  assert.equal(one.state(30), 'open', 'four of eight')
  assert.equal(told.join(), 'open for 100 ms: the last failure was that it answered 503')

  const { one: other } = breaker()
  answer(other, 503, 3, 10)
  answer(other, 503, 3, 1500)
  assert.equal(other.state(1500), 'closed', 'the first three are too long ago')
  answer(other, 404, 4, 1510)
  other.onFailure('it is gone', 1519, 1520)
  assert.equal(other.state(1520), 'open')
})

test('open, nobody goes; then one, and its answer decides', () => {
  const { one, told } = breaker()
  answer(one, 503, 4, 10)
  assert.equal(one.admit(109), false)
  assert.equal(one.restMs(60), 50)
  assert.equal(one.state(110), 'half-open')
  assert.deepEqual([one.admit(110), one.admit(110), one.admit(150)], [true, false, false])
  one.onAnswer(503, 110, 160)
  assert.deepEqual([one.state(160), one.restMs(160)], ['open', 200], 'twice as long')
  assert.equal(one.admit(360), true)
  one.onAnswer(200, 360, 370)
  assert.deepEqual([one.state(370), one.admit(370), one.admit(370)], ['closed', true, true])
  assert.match(told.at(-1)!, /closed again/)
  assert.equal(one.refused, 3)
  answer(one, 503, 4, 400)
  assert.equal(one.restMs(400), 100, 'and the next time it is as the first time')
})

test('it is never open for longer than the longest, and what went before it opened tells nothing', () => {
  const { one } = breaker()
  answer(one, 503, 4, 10)
  answer(one, 503, 4, 10)
  one.onAnswer(200, 5, 50)
  one.onFailure('it took too long', 5, 115)
  assert.equal(one.restMs(115), -5)
  let now = 115
  for (const ms of [200, 350, 350]) {
    assert.ok(one.admit(now))
    one.onFailure('no', now, now + 1)
    assert.equal(one.restMs(now + 1), ms)
    now += 1 + ms
  }
})

test('where the one that goes tells nothing in time, another goes', () => {
  const { one } = breaker()
  answer(one, 503, 4, 10)
  assert.deepEqual([one.admit(110), one.admit(209), one.admit(210)], [true, false, true])
})

test('an origin with one endpoint is left alone, and asked again', async (t) => {
  let status = 500
  let asked = 0
  const server = await rawServer(({ socket }) => {
    asked += 1
    socket.write(`HTTP/1.1 ${status} X\r\nContent-Length: 0\r\n\r\n`)
  })
  t.after(() => server.close())
  let nowMs = 1000
  const warnings: string[] = []
  const circuitBreaker = { requests: 5, open: '1s', status: ['500-599'] }
  const clock = { now: () => nowMs, monotonic: () => (nowMs += 1) }
  const origin = originOf([server.url], { circuitBreaker }, { clock, warn: (line) => warnings.push(line) })
  t.after(() => origin.close())
  for (let i = 0; i < 5; i += 1) assert.equal((await ask(origin).over).head?.status, 500)
  const { error } = await ask(origin).over
  assert.equal(error?.code, 'origin-left-alone')
  assert.match(error!.message, /circuit breaker is open/)
  assert.equal(asked, 5)
  assert.match(warnings.join(), /the circuit breaker of http:\/\/127\.0\.0\.1:\d+ is open for 1000 ms/)
  const value = (name: string) => origin.samples('s').find((sample) => sample.name === name)?.value
  assert.equal(value('orla_origin_circuit_refused_total'), 1)
  assert.equal(value('orla_origin_circuit_open'), 1)
  assert.equal(origin.state().circuit, 'open')
  status = 204
  nowMs += 1000
  assert.equal((await ask(origin).over).head?.status, 204)
  assert.equal((await ask(origin).over).head?.status, 204)
  assert.equal(value('orla_origin_circuit_open'), 0)
})
