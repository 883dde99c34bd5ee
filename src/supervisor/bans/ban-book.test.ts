/** What stands on a node: from the log, by time, whatever clocks do, less what is never banned. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { banKey } from '../../contract/bans.ts'
import { bansFor, configOf, TestClock } from './bans.support.ts'

test('a ban stands from its entry in the log until its end, and the writer takes it out later', async (t) => {
  const { clock, ban, standing, changes, writer, store, book } = await bansFor(t)
  await ban('192.0.2.7', 10_000)
  await ban('198.51.100.0/24', 60_000)
  assert.deepEqual(standing(), ['192.0.2.7', '198.51.100.0/24'])
  clock.pass(9_999)
  assert.equal(standing().length, 2)
  clock.pass(251)
  assert.deepEqual(standing(), ['198.51.100.0/24'])
  assert.deepEqual(changes.at(-1), { added: [], removed: ['192.0.2.7'] })
  await writer.clean()
  assert.ok(store.get(banKey('192.0.2.7')), 'clocks of other nodes may be behind')
  clock.pass(60_001)
  await writer.clean()
  assert.equal(store.get(banKey('192.0.2.7')), undefined)
  assert.deepEqual([book.loggedCount, standing()], [1, []])
})

test('where thousands end at once, others have their turn while they are taken out of the log', async (t) => {
  const { clock, writer, store, book } = await bansFor(t)
  const record = { reason: '', by: 'token root', node: 'n' }
  const all = Array.from({ length: 5000 }, (_, n) => ({
    prefix: `10.0.${n >> 8}.${n & 255}`,
    forMs: 1000,
    record,
  }))
  await writer.write(all, { onlyLonger: false })
  clock.pass(62_000)
  const left: number[] = []
  const look = () => {
    left.push(book.loggedCount)
    if (book.loggedCount > 0) setImmediate(look)
  }
  setImmediate(look)
  await writer.clean()
  assert.equal(store.get(banKey('10.0.0.0')), undefined)
  assert.ok(new Set(left).size >= 4, left.join())
})

test('a clock that is set, forwards or back, neither ends a ban nor makes it longer', async (t) => {
  const { clock, ban, standing } = await bansFor(t)
  await ban('192.0.2.7', 60_000)
  clock.wallMs += 30 * 24 * 3_600_000
  clock.pass(30_000)
  assert.deepEqual(standing(), ['192.0.2.7'])
  clock.wallMs -= 60 * 24 * 3_600_000
  clock.pass(29_000)
  assert.deepEqual(standing(), ['192.0.2.7'])
  clock.pass(1_500)
  assert.deepEqual(standing(), [])
})

test('bans are read again at a start, and one that ended meanwhile does not stand', async (t) => {
  const first = await bansFor(t)
  await first.ban('192.0.2.7', 10_000)
  await first.ban('192.0.2.8', 1_000_000)
  first.close()
  const clock = new TestClock()
  clock.wallMs = first.clock.wallMs + 20_000
  const again = await bansFor(t, { folder: first.folder, clock })
  assert.deepEqual(again.standing(), ['192.0.2.8'])
  clock.pass(981_000)
  assert.deepEqual(again.standing(), [])
})

test('a node whose clock is an hour ahead of the writer keeps a ban for as long as it was made for', async (t) => {
  const first = await bansFor(t)
  await first.ban('192.0.2.7', 60_000)
  first.close()
  const clock = new TestClock()
  clock.wallMs = first.clock.wallMs + 3_600_000
  const edge = await bansFor(t, { folder: first.folder, clock })
  assert.deepEqual(edge.standing(), [], 'before it knows the time of the writer')
  edge.off.ms = -3_600_000
  assert.ok(edge.book.hasClockMoved)
  edge.book.reviewAll()
  assert.deepEqual(edge.standing(), ['192.0.2.7'])
  clock.pass(60_250)
  assert.deepEqual(edge.standing(), [])
})

test('a ban that is made anew is replaced: it may end sooner, and where only longer ones count it does not', async (t) => {
  const { clock, ban, standing } = await bansFor(t)
  await ban('192.0.2.7', 60_000)
  const { until } = await ban('192.0.2.7', 30_000, true)
  assert.deepEqual(until, [clock.wallMs + 60_000])
  await ban('192.0.2.7', 5_000)
  clock.pass(5_500)
  assert.deepEqual(standing(), [])
})

test('what lies in a prefix that is never banned does not stand, and stands when that changes', async (t) => {
  const { ban, standing, never, book, changes } = await bansFor(t, {
    config: { bans: { never: ['192.0.2.0/24'] } },
  })
  await ban('192.0.2.7', 60_000)
  await ban('192.0.0.0/16', 60_000)
  assert.deepEqual(standing(), ['192.0.0.0/16'])
  assert.deepEqual(
    book.list().map(({ prefix, state }) => [prefix, state]),
    [
      ['192.0.2.7', 'void'],
      ['192.0.0.0/16', 'standing'],
    ],
  )
  never.use(configOf())
  assert.deepEqual(standing(), ['192.0.0.0/16', '192.0.2.7'])
  assert.deepEqual(changes.at(-1), { added: ['192.0.2.7'], removed: [] })
})

test('a ban that waits for the log stands at once, until its own end or until the log has it', async (t) => {
  const { clock, book, ban, standing } = await bansFor(t)
  const record = { until: clock.wallMs + 10_000, at: clock.wallMs, reason: '', by: 'limit login', node: 'n' }
  book.wait('192.0.2.7', record, 10_000)
  book.wait('192.0.2.8', record, 10_000)
  assert.deepEqual(standing(), ['192.0.2.7', '192.0.2.8'])
  book.passed('192.0.2.7')
  assert.deepEqual(
    book.toPass().map(({ prefix, forMs }) => [prefix, forMs]),
    [['192.0.2.8', 10_000]],
  )
  await ban('192.0.2.7', 60_000)
  assert.equal(book.waitingCount, 1)
  clock.pass(10_250)
  assert.deepEqual([standing(), book.waitingCount], [['192.0.2.7'], 0])
})

test('more bans than there may be are refused whole, and one that is there may be made anew', async (t) => {
  const { ban, standing, writer } = await bansFor(t, { bansMax: 2 })
  await Promise.all([ban('192.0.2.7', 60_000), ban('192.0.2.8', 60_000)])
  const record = { reason: '', by: 'token root', node: 'n' }
  const two = ['192.0.2.7', '192.0.2.9'].map((prefix) => ({ prefix, forMs: 60_000, record }))
  await assert.rejects(writer.write(two, { onlyLonger: false }), /there would be 3 bans, and `bans.max` is 2/)
  await ban('192.0.2.8', 90_000)
  assert.deepEqual(standing(), ['192.0.2.7', '192.0.2.8'])
  await assert.rejects(writer.remove(['192.0.2.7', '192.0.2.9']), /192\.0\.2\.9 is not banned/)
  await writer.remove(['192.0.2.7'])
  await ban('192.0.2.9', 60_000)
  assert.deepEqual(standing(), ['192.0.2.8', '192.0.2.9'])
})

test('of requests that go in together, one that is refused holds up no other', async (t) => {
  const { ban, writer, standing } = await bansFor(t, { bansMax: 1 })
  const outcomes = await Promise.allSettled([
    ban('192.0.2.7', 60_000),
    ban('192.0.2.8', 60_000),
    writer.remove(['192.0.2.9']),
  ])
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    ['fulfilled', 'rejected', 'rejected'],
  )
  assert.deepEqual(standing(), ['192.0.2.7'])
})

test('an entry that cannot be read means nothing, and is told', async (t) => {
  const { store, book, warned, standing } = await bansFor(t)
  store.append([
    { operation: 'SET', key: banKey('192.0.2.7'), value: '{}' },
    { operation: 'SET', key: banKey('example.org'), value: '{"until":9e15,"at":1}' },
    { operation: 'SET', key: banKey('192.0.2.8'), value: '{"until":9e15,"at":1}' },
  ])
  book.advanced()
  assert.deepEqual(standing(), ['192.0.2.8'])
  assert.equal(warned.filter((line) => /cannot be read/.test(line)).length, 2)
})

test('a hundred thousand bans end in time, and cost a step little', async (t) => {
  const { clock, book, standing } = await bansFor(t)
  const record = { until: 0, at: clock.wallMs, reason: '', by: '', node: '' }
  for (let index = 0; index < 100_000; index++)
    book.wait(`10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`, record, 1000 + index)
  assert.equal(standing().length, 100_000)
  clock.pass(51_000)
  assert.ok(Math.abs(standing().length - 50_000) <= 250)
  clock.pass(51_000)
  assert.equal(standing().length, 0)
})
