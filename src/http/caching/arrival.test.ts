import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Arrival, type ArrivalReader, PASSED_BYTES_MAX, PASSED_WAIT_MS } from './arrival.ts'
import { KEY, request, response, Rig, SECOND } from './caching.support.ts'
import type { CacheFill } from './fill.ts'

const FRESH = { 'cache-control': 'max-age=60', etag: '"one"' }

/** One who reads all that comes, unless it is told to be slow. */
class Reader {
  text = ''
  end: 'open' | 'whole' | 'broken' = 'open'
  isSlow = false
  readonly reader: ArrivalReader

  constructor(arrival: Arrival) {
    this.reader = arrival.follow({
      onMore: () => this.read(),
      onEnd: () => {
        this.read()
        this.end = 'whole'
      },
      onBroken: () => (this.end = 'broken'),
    })
    this.read()
  }

  read(): void {
    while (!this.isSlow && this.reader.left > 0) this.text += this.reader.read(7)!.toString()
  }
}

/** A fill whose head has come and was announced, with one who waited for it. */
function begun(rig = new Rig(), fields: Record<string, string> = FRESH) {
  const fill = rig.lead()
  const told: Arrival[] = []
  rig.join(request(), (_error, arrival) => arrival && told.push(arrival))
  fill.begin(response(fields), rig.nowMs)
  fill.append(Buffer.from('first '))
  fill.announce()
  return { rig, fill, arrival: told[0]! }
}

const late = (rig: Rig): Arrival => {
  const seat = rig.join()
  assert.ok(seat.kind === 'arriving')
  return seat
}
const append = (fill: CacheFill, text: string) => fill.append(Buffer.from(text))

describe('an answer that arrives', () => {
  it('is given from the first byte to those who waited, and to those who come later', () => {
    const { rig, fill, arrival } = begun()
    const readers = [new Reader(arrival)]
    append(fill, 'second ')
    readers.push(new Reader(late(rig)))
    append(fill, 'third')
    fill.finish(rig.nowMs)
    assert.deepEqual(
      readers.map(({ text, end }) => [text, end]),
      [
        ['first second third', 'whole'],
        ['first second third', 'whole'],
      ],
    )
    assert.equal(rig.hit().entry.body.bytes.toString(), 'first second third')
  })

  it('is not given to anybody once it has become stale on its way', () => {
    const { rig } = begun()
    rig.nowMs += 61 * SECOND
    assert.equal(rig.join().kind, 'fill')
  })

  it('goes on for a reader that is slow, also after it is stored and dropped', () => {
    const { rig, fill, arrival } = begun()
    const slow = new Reader(arrival)
    slow.isSlow = true
    append(fill, 'second')
    fill.finish(rig.nowMs)
    rig.cache.clear()
    slow.isSlow = false
    slow.read()
    assert.equal(slow.text, 'first second')
  })

  it('is broken for all who read it when the origin breaks off', () => {
    const { rig, fill, arrival } = begun()
    const readers = [new Reader(arrival), new Reader(late(rig))]
    assert.equal(fill.followers, 2)
    fill.abandon()
    assert.deepEqual(
      readers.map(({ end }) => end),
      ['broken', 'broken'],
    )
    assert.equal(rig.cache.counters.flights, 0)
  })

  it('is broken where it is shorter than it said', () => {
    const { rig, fill, arrival } = begun(new Rig(), { ...FRESH, 'content-length': '100' })
    const reader = new Reader(arrival)
    assert.equal(fill.finish(rig.nowMs), undefined)
    assert.equal(reader.end, 'broken')
  })

  for (const [why, refuse] of [
    ['a write passed by', (rig: Rig) => rig.cache.invalidate(KEY)],
    ['it grew too large', (_: Rig, fill: CacheFill) => append(fill, 'x'.repeat(100_000))],
  ] as const) {
    it(`is owed to those who have begun although ${why}, and is not stored`, () => {
      const { rig, fill, arrival } = begun()
      const reader = new Reader(arrival)
      refuse(rig, fill)
      append(fill, 'last')
      assert.equal(rig.join().kind, 'fill', 'nobody else joins')
      fill.finish(rig.nowMs)
      assert.match(reader.text, /^first x*last$/)
      assert.equal(reader.end, 'whole')
      assert.equal(rig.cache.counters.stored, 0)
    })
  }

  it('waits for the slowest where nothing is gathered, and cuts one for whom it waits too long', () => {
    const { rig, fill, arrival } = begun()
    const [quick, slow] = [new Reader(arrival), new Reader(arrival)]
    rig.cache.invalidate(KEY)
    slow.isSlow = true
    let rooms = 0
    fill.onRoom = () => rooms++
    assert.equal(append(fill, 'x'.repeat(PASSED_BYTES_MAX)), false)
    slow.isSlow = false
    slow.read()
    assert.equal(rooms, 1)
    slow.isSlow = true
    assert.equal(append(fill, 'y'.repeat(PASSED_BYTES_MAX)), false)
    rig.cache.sweep(rig.nowMs)
    rig.nowMs += PASSED_WAIT_MS
    rig.cache.sweep(rig.nowMs)
    assert.equal(slow.end, 'broken')
    assert.equal(rooms, 2)
    assert.equal(append(fill, 'last'), true)
    fill.finish(rig.nowMs)
    assert.ok(quick.text.endsWith('ylast'))
    assert.equal(quick.end, 'whole')
  })
})

it('RFC 9111 §1.2.2: an arrival is no older than 2³¹ seconds', () => {
  const { fill } = begun()
  const arrival = fill.arrival!
  assert.equal(arrival.ageSeconds(arrival.plan.bornMs + 90_500), 90)
  assert.equal(arrival.ageSeconds(arrival.plan.bornMs + 2 ** 33 * SECOND), 2 ** 31)
})
