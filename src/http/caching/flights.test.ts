import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { EdgeError } from '../../base/errors.ts'
import type { RequestHead } from '../../wire/http1/message.ts'
import { Rig, KEY, NOW, request, response, SECOND } from './caching.support.ts'
import type { CacheFill } from './fill.ts'
import { Flights } from './flights.ts'
import { PLAIN_VARY } from './vary-rules.ts'

const FRESH = { 'cache-control': 'max-age=60', etag: '"one"' }

/** A client that does what the pipeline does: looks up, joins, and looks again when it is told to. */
class Client {
  state: 'new' | 'waiting' | 'fetching' | 'hit' | 'failed' = 'new'
  body = ''
  fill: CacheFill | undefined
  readonly rig: Rig
  readonly head: RequestHead
  readonly deadlineMs: number
  cancel: () => void = () => {}

  constructor(rig: Rig, head: RequestHead = request()) {
    this.rig = rig
    this.head = head
    this.deadlineMs = rig.nowMs + 10 * SECOND
    this.go()
  }

  go(): void {
    const { rig } = this
    const found = rig.lookup(this.head)
    if (found.kind === 'hit') {
      this.state = 'hit'
      this.body = found.entry.body.bytes.toString()
      return
    }
    assert.ok(found.kind === 'miss' || found.kind === 'stale')
    const seat = rig.cache.join(KEY, this.head, found, rig.nowMs, this.deadlineMs, (error) => {
      assert.equal(this.state, 'waiting', 'told once, and only who waits')
      if (error === undefined) this.go()
      else this.state = 'failed'
    })
    if (seat.kind === 'fill') {
      this.state = 'fetching'
      this.fill = seat
    } else {
      assert.ok(seat.kind === 'waiting')
      this.state = 'waiting'
      this.cancel = () => seat.cancel()
    }
  }

  answer(fields: Record<string, string> = FRESH, body = 'body', status = 200): void {
    this.fill!.begin(response(fields, status), this.rig.nowMs)
    this.fill!.append(Buffer.from(body))
    this.fill!.finish(this.rig.nowMs)
  }
}

const crowd = (rig: Rig, count: number, head?: RequestHead) =>
  Array.from({ length: count }, () => new Client(rig, head))
const states = (clients: readonly Client[]) => clients.map(({ state }) => state)
const all = (count: number, state: string) => Array.from({ length: count }, () => state)

describe('one flight a key', () => {
  it('lets one fetch, and gives its answer to all who came meanwhile', () => {
    const rig = new Rig()
    const [leader, ...others] = crowd(rig, 100)
    assert.equal(leader!.state, 'fetching')
    assert.deepEqual(states(others), all(99, 'waiting'))
    assert.equal(leader!.fill!.followers, 99)
    leader!.answer()
    assert.deepEqual(states(others), all(99, 'hit'))
    assert.ok(others.every(({ body }) => body === 'body'))
    assert.equal(rig.cache.counters.joined, 99)
    assert.equal(rig.cache.counters.flights, 0)
  })

  it('does not hold those who want something else', () => {
    const rig = new Rig()
    rig.lead(request(), 'a')
    assert.equal(rig.join(request(), () => {}, 'b').kind, 'fill')
  })

  it('lets all go at once when the head says that the answer is not for sharing, and none waits for the next seconds', () => {
    const rig = new Rig()
    const [leader, ...others] = crowd(rig, 10)
    leader!.fill!.begin(response({ 'cache-control': 'private' }), rig.nowMs)
    assert.deepEqual(states(others), all(9, 'fetching'))
    assert.deepEqual(states(crowd(rig, 5)), all(5, 'fetching'))
    for (const other of others) other.answer({ 'cache-control': 'private' })
    rig.nowMs += 6 * SECOND
    assert.deepEqual(states(crowd(rig, 3)), ['fetching', 'waiting', 'waiting'])
  })

  it('forgets that an answer was not for sharing as soon as one is', () => {
    const rig = new Rig()
    const [leader, other] = crowd(rig, 2)
    leader!.answer({}, 'error', 500)
    other!.answer({ 'cache-control': 'max-age=1' })
    assert.equal(new Client(rig).state, 'hit')
    rig.nowMs += SECOND
    assert.deepEqual(states(crowd(rig, 2)), ['fetching', 'waiting'])
  })

  it('lets all go when the answer grows too large', () => {
    const rig = new Rig(1_000_000, 100)
    const [leader, other] = crowd(rig, 2)
    leader!.fill!.begin(response(FRESH), rig.nowMs)
    leader!.fill!.append(Buffer.alloc(100))
    assert.equal(other!.state, 'waiting')
    leader!.fill!.append(Buffer.alloc(1))
    assert.equal(other!.state, 'fetching')
  })

  it('remembers that an answer grew too large from the moment it did, however long the body took', () => {
    const rig = new Rig(1_000_000, 100)
    const [leader, ...others] = crowd(rig, 3)
    leader!.fill!.begin(response(FRESH), rig.nowMs)
    rig.nowMs += 9 * SECOND
    rig.cache.sweep(rig.nowMs)
    leader!.fill!.append(Buffer.alloc(101))
    assert.deepEqual(states(others), ['fetching', 'fetching'])
  })

  it('lets exactly one try next when the leader gives up, the others wait for it', () => {
    const rig = new Rig()
    const [leader, ...others] = crowd(rig, 10)
    leader!.fill!.abandon()
    assert.deepEqual(states(others), ['fetching', ...all(8, 'waiting')])
    others[0]!.answer()
    assert.deepEqual(states(others.slice(1)), all(8, 'hit'))
  })

  it('does the same when the body was cut short', () => {
    const rig = new Rig()
    const [leader, ...others] = crowd(rig, 4)
    leader!.answer({ ...FRESH, 'content-length': '5' })
    assert.deepEqual(states(others), ['fetching', 'waiting', 'waiting'])
  })

  it('tells all why, when the origin cannot be asked, instead of letting each try in turn', () => {
    const rig = new Rig()
    const errors: unknown[] = []
    const leader = rig.lead()
    for (let i = 0; i < 3; i++) rig.join(request(), (error) => errors.push(error))
    const refused = new EdgeError('origin-refused', 'connect ECONNREFUSED')
    leader.fail(refused)
    assert.deepEqual(errors, [refused, refused, refused])
    assert.equal(rig.join().kind, 'fill')
  })

  it('tells nothing to those who went away', () => {
    const rig = new Rig()
    const [leader, first, second] = crowd(rig, 3)
    first!.cancel()
    assert.equal(leader!.fill!.followers, 1)
    leader!.fill!.abandon()
    assert.deepEqual(states([first!, second!]), ['waiting', 'fetching'])
  })

  it('tells nothing to one who is cancelled by what another does when told', () => {
    const rig = new Rig()
    const leader = rig.lead()
    let told = 0
    const seats = [0, 1].map(() =>
      rig.join(request(), () => {
        told++
        for (const seat of seats) if (seat.kind === 'waiting') seat.cancel()
      }),
    )
    leader.abandon()
    assert.equal(told, 1)
  })

  it('ends a wait at its deadline, and then lets go alone', () => {
    const rig = new Rig()
    const [leader, other] = crowd(rig, 2)
    rig.nowMs += 10 * SECOND - 1
    rig.cache.sweep(rig.nowMs)
    assert.equal(other!.state, 'waiting')
    rig.nowMs++
    rig.cache.sweep(rig.nowMs)
    assert.equal(other!.state, 'fetching')
    assert.equal(new Client(rig).state, 'waiting')
    leader!.answer()
    other!.answer(FRESH, 'later')
    assert.equal(rig.hit().entry.body.bytes.toString(), 'later')
  })

  it('does not make those wait who may not share what is to be validated each time', () => {
    const rig = new Rig()
    const [leader, ...others] = crowd(rig, 3)
    leader!.answer({ 'cache-control': 'no-cache', etag: '"one"' })
    assert.deepEqual(states(others), ['fetching', 'fetching'])
    assert.deepEqual(states(crowd(rig, 2)), ['fetching', 'fetching'])
  })

  it('refreshes a stale response once, for all', () => {
    const rig = new Rig()
    rig.fetch(response(FRESH))
    rig.nowMs += 61 * SECOND
    const [leader, ...others] = crowd(rig, 5)
    assert.deepEqual(states(others), all(4, 'waiting'))
    const found = rig.lookup()
    assert.ok(found.kind === 'stale')
    leader!.fill!.refresh(found.entry, [], rig.nowMs)
    assert.deepEqual(states(others), all(4, 'hit'))
  })

  it('is left when a write passes by: those who waited get an answer from after it', () => {
    const rig = new Rig()
    const [leader, ...others] = crowd(rig, 3)
    rig.cache.invalidate(KEY)
    assert.deepEqual(states(others), ['fetching', 'waiting'])
    leader!.answer(FRESH, 'old')
    assert.equal(others[1]!.state, 'waiting')
    others[0]!.answer(FRESH, 'new')
    assert.equal(others[1]!.body, 'new')
  })

  it('does not mix those with credentials and those without', () => {
    const rig = new Rig()
    const withCredentials = request({ authorization: 'x' })
    const clients = [...crowd(rig, 2, withCredentials), ...crowd(rig, 2)]
    assert.deepEqual(states(clients), ['fetching', 'waiting', 'fetching', 'waiting'])
    clients[0]!.answer()
    assert.deepEqual(states(clients), ['fetching', 'fetching', 'fetching', 'waiting'])
    clients[2]!.answer()
    assert.equal(clients[3]!.state, 'hit')
  })
})

describe('one flight a variant', () => {
  const language = (value: string) => request({ 'accept-language': value })
  const inLanguage = { ...FRESH, vary: 'accept-language' }

  it('sends those who will be given another answer to fetch it as soon as the head says so, one for each', () => {
    const rig = new Rig()
    const pt = crowd(rig, 3, language('pt'))
    const en = crowd(rig, 3, language('en'))
    assert.deepEqual(states(en), all(3, 'waiting'))
    pt[0]!.fill!.begin(response(inLanguage), rig.nowMs)
    assert.deepEqual(states(en), ['fetching', 'waiting', 'waiting'])
    assert.deepEqual(states(pt), ['fetching', 'waiting', 'waiting'])
    // Those who come now wait for their own.
    assert.deepEqual(
      states([...crowd(rig, 1, language('pt')), ...crowd(rig, 1, language('en'))]),
      all(2, 'waiting'),
    )
    assert.equal(new Client(rig, language('fr')).state, 'fetching')
    en[0]!.answer(inLanguage, 'hello')
    assert.deepEqual(states(en), ['fetching', 'hit', 'hit'])
    assert.deepEqual(states(pt), ['fetching', 'waiting', 'waiting'])
    pt[0]!.fill!.append(Buffer.from('olá'))
    pt[0]!.fill!.finish(rig.nowMs)
    assert.deepEqual(
      pt.slice(1).map(({ body }) => body),
      ['olá', 'olá'],
    )
  })

  it('knows by what the stored ones vary, so that nobody waits for another variant', () => {
    const rig = new Rig()
    rig.fetch(response(inLanguage), language('pt'))
    rig.nowMs += 61 * SECOND + 120 * SECOND
    const clients = ['pt', 'en', 'pt', 'en'].map((value) => new Client(rig, language(value)))
    assert.deepEqual(states(clients), ['fetching', 'fetching', 'waiting', 'waiting'])
  })

  it('ends the waits of a flight that nobody can join any more', () => {
    const rig = new Rig()
    const [first, follower] = crowd(rig, 2, language('pt'))
    // A reload, which fetches for itself, brings to light what the answers vary by. So another flight takes the place
    // that the first would move to.
    const reload = rig.lead(request({ 'accept-language': 'en', 'cache-control': 'no-cache' }))
    reload.begin(response(inLanguage), rig.nowMs)
    reload.finish(rig.nowMs)
    const second = new Client(rig, language('pt'))
    assert.equal(second.state, 'fetching')
    first!.fill!.begin(response(inLanguage), rig.nowMs)
    assert.equal(new Client(rig, language('pt')).state, 'waiting')
    assert.deepEqual([first!.fill!.followers, second.fill!.followers], [1, 1])
    rig.nowMs += 10 * SECOND
    rig.cache.sweep(rig.nowMs)
    assert.equal(follower!.state, 'fetching')
    first!.fill!.abandon()
    second.answer(inLanguage)
    follower!.answer(inLanguage)
    assert.equal(rig.cache.counters.flights, 0)
    assert.equal(rig.lookup(language('pt')).kind, 'hit')
  })
})

it('RFC 5861 §3: a refresh takes off at once where answers were not for sharing a moment ago, and one at a time', () => {
  const flights = new Flights(PLAIN_VARY)
  flights.markUnshared('a', NOW)
  assert.notEqual(flights.lead('a', [], undefined, NOW + 1), undefined)
  assert.equal(flights.lead('a', [], undefined, NOW + 2), undefined)
})
