/** How many are under way at once, counted in shared words. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import {
  forgetInFlight,
  IN_FLIGHT_SEED_BYTES,
  InFlight,
  type InFlightPlan,
  inFlightWords,
  layInFlight,
  type Ticket,
} from './in-flight.ts'

function laid(plan: InFlightPlan): Int32Array {
  const words = new Int32Array(inFlightWords(plan))
  layInFlight(words, randomBytes(IN_FLIGHT_SEED_BYTES))
  return words
}

const enter = (inFlight: InFlight, key: string, max: number): Ticket | undefined => {
  inFlight.hash.ofText(key, 0)
  return inFlight.enter(max)
}

test('as many as are allowed are under way, over all processes, and each makes room when it leaves', () => {
  const plan = { keysMax: 64, workers: 3 }
  const words = laid(plan)
  const all = [0, 1, 2].map((worker) => new InFlight(plan, words, worker))
  const tickets = all.map((one) => enter(one, 'a', 3))
  assert.ok(tickets.every((ticket) => ticket !== undefined))
  assert.equal(all[2]!.before, 2)
  for (const one of all) assert.equal(enter(one, 'a', 3), undefined)
  assert.notEqual(enter(all[0]!, 'b', 3), undefined, 'another key is counted by itself')
  all[1]!.leave(tickets[1]!)
  assert.notEqual(enter(all[0]!, 'a', 3), undefined)
  assert.equal(enter(all[1]!, 'a', 3), undefined)
})

test('what a process that died had under way is over, and nothing else', () => {
  const plan = { keysMax: 64, workers: 2 }
  const words = laid(plan)
  const [first, second] = [0, 1].map((worker) => new InFlight(plan, words, worker)) as [InFlight, InFlight]
  for (let i = 0; i < 5; i++) enter(first, 'a', 6)
  enter(second, 'a', 6)
  assert.equal(enter(second, 'a', 6), undefined)
  forgetInFlight(words, plan, 0)
  assert.equal(Array.from({ length: 6 }, () => enter(second, 'a', 6)).filter(Boolean).length, 5)
})

test('more keys at once than there are places for allow less, never more', () => {
  const plan = { keysMax: 64, workers: 1 }
  const one = new InFlight(plan, laid(plan), 0)
  const under = new Map<string, Ticket[]>()
  for (let round = 0; round < 3; round++)
    for (let key = 0; key < 500; key++) {
      const ticket = enter(one, `k${key}`, 2)
      if (ticket !== undefined) under.set(`k${key}`, [...(under.get(`k${key}`) ?? []), ticket])
    }
  assert.ok([...under.values()].every((tickets) => tickets.length <= 2))
  for (const ticket of [...under.values()].flat()) one.leave(ticket)
  assert.notEqual(enter(one, 'k1', 1), undefined)
  assert.equal(enter(one, 'k1', 1), undefined)
  // Nothing is left of those that have gone.
  assert.equal(one.before, 1)
})

test('a key that had to share a place is allowed no more when another one is free', () => {
  // One bucket of eight places.
  const plan = { keysMax: 4, workers: 1 }
  for (let round = 0; round < 50; round++) {
    const one = new InFlight(plan, laid(plan), 0)
    const others = Array.from({ length: 8 }, (_, i) => enter(one, `${round}-${i}`, 10))
    const shared = [enter(one, 'late', 3), enter(one, 'late', 3)]
    assert.ok(shared.every((ticket) => ticket !== undefined))
    // All leave but the one whose place it shares.
    const [there] = shared
    for (const ticket of others) if (ticket !== there) one.leave(ticket!)
    assert.equal(enter(one, 'late', 3), undefined, 'three are under way where it counts')
    for (const ticket of [there, ...shared]) one.leave(ticket!)
    assert.deepEqual(
      [1, 2, 3, 4].map(() => enter(one, 'late', 3) !== undefined),
      [true, true, true, false],
    )
  }
})

test('random comings and goings are counted as a map counts them', () => {
  const plan = { keysMax: 1000, workers: 4 }
  const words = laid(plan)
  const all = [0, 1, 2, 3].map((worker) => new InFlight(plan, words, worker))
  const counts = new Map<string, number>()
  const under: { key: string; worker: number; ticket: Ticket }[] = []
  let state = 7
  const random = (below: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
  for (let step = 0; step < 20_000; step++) {
    if (under.length > 0 && random(5) < 2) {
      const [{ key, worker, ticket }] = under.splice(random(under.length), 1) as [(typeof under)[number]]
      all[worker]!.leave(ticket)
      counts.set(key, counts.get(key)! - 1)
      continue
    }
    const [key, worker] = [`k${random(40)}`, random(4)]
    const ticket = enter(all[worker]!, key, 10)
    const count = counts.get(key) ?? 0
    assert.equal(all[worker]!.before, count)
    assert.equal(ticket !== undefined, count < 10)
    if (ticket === undefined) continue
    counts.set(key, count + 1)
    under.push({ key, worker, ticket })
  }
})

test('a number that is none of the processes is refused', () => {
  const plan = { keysMax: 64, workers: 2 }
  assert.throws(() => new InFlight(plan, laid(plan), 2), /worker: expected a number from 0 to 1, not 2/)
})
