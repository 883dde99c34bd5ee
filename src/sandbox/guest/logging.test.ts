/** What a unit says, and where it said it, out of a real isolate. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type GuestRecord, invokeEntry, logsOf, openGuest, openUnit } from './guest.support.ts'

/** Where each line was logged, of a unit whose lines begin at 2. */
const places = (records: readonly GuestRecord[]) =>
  records.flatMap((record) => (record.kind === 'log' ? [record.where] : []))

test('a line tells where in the unit it was logged, whichever way', async (t) => {
  const guest = await openUnit(
    t,
    `{ async access(request, response, edge) {
console.log('a'); edge.log('b')
edge.log.warn('c')
;[1].forEach(console.log)
console.dir({}); console.trace(); console.assert(false)
await null
console.error('after an await')
} }`,
  )
  assert.deepEqual(places(guest.settle(invokeEntry(1, ['access']))), [
    'test@1.js:2:9',
    'test@1.js:2:24',
    'test@1.js:3:10',
    'test@1.js:4:6',
    'test@1.js:5:9',
    'test@1.js:5:26',
    'test@1.js:5:43',
    'test@1.js:7:9',
  ])
})

test('where a line was logged is asked without running code of the unit, and leaves no trace', async (t) => {
  const guest = await openUnit(
    t,
    `{ access() {
let ran = 0
Error.prepareStackTrace = () => { ran++; return 'test@1.js:99:99' }
Error.stackTraceLimit = 0
Object.defineProperty(Error.prototype, 'name', { get() { ran++; return 'test@1.js:98:98' } })
Object.prototype.get = () => { ran++ }
console.log('set')
Function.prototype.prepareStackTrace = Error.prepareStackTrace
delete Error.prepareStackTrace
console.log('inherited')
delete Object.prototype.get
console.log(ran, Error.stackTraceLimit, Object.hasOwn(Error, 'prepareStackTrace'))
Object.freeze(Error)
console.log('frozen')
} }`,
  )
  const records = guest.step(invokeEntry(1, ['access']))
  assert.deepEqual(logsOf(records), ['1 1 set', '1 1 inherited', '1 1 0 0 false', '1 1 frozen'])
  assert.deepEqual(places(records), ['test@1.js:7:9', 'test@1.js:10:9', 'test@1.js:12:9', ''])
})

test('logs are bounded, and say how many lines were dropped', async (t) => {
  const guest = await openUnit(
    t,
    `{ access() { for (let i = 0; i < 100; i++) console.log('x'.repeat(100000)) } }`,
  )
  const records = guest.step(invokeEntry(1, ['access']))
  const lines = logsOf(records)
  assert.ok(lines.join('').length < 400_000)
  assert.match(lines.at(-1)!, /^0 2 \d+ log lines dropped/)
})

test('errors of timers, microtasks and waitUntil are logged', async (t) => {
  const guest = await openUnit(
    t,
    `{ access(request, response, edge) {
      setTimeout(() => { throw new Error('in a timer') }, 3)
      queueMicrotask(() => { throw new Error('in a microtask') })
      edge.waitUntil((async () => { throw new Error('in the background') })())
    } }`,
  )
  const records = [...guest.step(invokeEntry(7, ['access'])), ...guest.step('3 \n'), ...guest.step('2 1 \n')]
  const texts = logsOf(records).map((line) => line.split('\n')[0])
  assert.deepEqual(texts.toSorted(), [
    '7 3 Error: in a microtask',
    '7 3 Error: in a timer',
    '7 3 Error: in the background',
  ])
})

test('what the top level logs leads the first answer', async (t) => {
  const guest = await openGuest(`console.warn('loaded'); exports.access = () => {}`)
  t.after(() => guest.dispose())
  assert.deepEqual(guest.step(invokeEntry(1, ['access']))[0], {
    kind: 'log',
    id: 0,
    level: 2,
    where: 'test@1.js:1:38',
    text: 'loaded',
  })
})
