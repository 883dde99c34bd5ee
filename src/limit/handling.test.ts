/** Limiters as objects for packets and jobs: what is forwarded, what is dropped, and what waits for its turn. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { FixedWindow, LeakyQueue, Shaper, SlidingLog, TokenBucket } from 'orla/limit'
import { seededRandom } from '../cache/seeded-random.ts'
import { DueQueue } from './due-queue.ts'
import { HandTime } from './hand-time.support.ts'

/** Where items go. */
function ends<Item>() {
  const forwarded: Item[] = []
  const dropped: Item[] = []
  return {
    forwarded,
    dropped,
    forward: (item: Item) => void forwarded.push(item),
    drop: (item: Item) => void dropped.push(item),
  }
}

describe('an object that items are handed to', () => {
  it('forwards what is allowed and drops the rest', () => {
    for (const Kind of [TokenBucket, SlidingLog]) {
      const time = new HandTime()
      const { forwarded, dropped, forward, drop } = ends<number>()
      const limiter = new Kind({ limit: 1, window: '1s', clock: time.clock, forward, drop })
      for (let packet = 0; packet < 23; packet += 1) {
        time.pass(200)
        limiter.handle(packet)
      }
      assert.deepEqual(forwarded, [0, 5, 10, 15, 20])
      assert.equal(dropped.length, 18)
    }
  })

  it('counts items by key and cost, and tells why one was dropped', () => {
    const reasons: unknown[] = []
    const { forwarded, forward } = ends<{ from: string; bytes: number }>()
    const window = new FixedWindow({
      limit: 1500,
      window: 100,
      clock: () => 30,
      key: ({ from }) => from,
      cost: ({ bytes }) => bytes,
      forward,
      drop: ({ from }, { retryAfterMs, remaining }) => reasons.push([from, retryAfterMs, remaining]),
    })
    for (const [from, bytes] of [
      ['a', 1000],
      ['b', 1000],
      ['a', 501],
      ['a', 500],
      ['b', 1501],
    ] as const)
      window.handle({ from, bytes })
    assert.deepEqual(
      forwarded.map(({ from }) => from),
      ['a', 'b', 'a'],
    )
    assert.deepEqual(reasons, [
      ['a', 70, 500],
      ['b', Infinity, 500],
    ])
  })

  it('needs somebody to forward to, and nobody to drop to', () => {
    const none = new TokenBucket({ limit: 1, window: 1 })
    assert.throws(() => none.handle(1), {
      name: 'TypeError',
      message: /make the limiter with { forward: \(item\) => …/,
    })
    const { forwarded, forward } = ends<number>()
    const bucket = new TokenBucket({ limit: 1, window: 1000, clock: () => 0, forward })
    assert.deepEqual([bucket.handle(1).allowed, bucket.handle(2).allowed], [true, false])
    assert.deepEqual(forwarded, [1])
  })
})

const START = 1_000_000

/** A leaky queue of five a second, and the moments at which items leave it. */
function queueAt(options: { queue?: number; waitingMax?: number; key?: (item: string) => string } = {}) {
  const time = new HandTime(START)
  const left: [string, number][] = []
  const dropped: string[] = []
  const queue = new LeakyQueue<string>({
    limit: 5,
    window: '1s',
    clock: time.clock,
    timers: time,
    forward: (item) => void left.push([item, time.nowMs - START]),
    drop: (item) => void dropped.push(item),
    ...options,
  })
  const come = (items: string): void => {
    for (const item of items) queue.handle(item)
  }
  return { time, left, dropped, queue, come }
}

describe('items that wait', () => {
  it('leave a leaky queue one by one, in the order in which they came', () => {
    const { time, left, dropped, queue, come } = queueAt({ queue: 3 })
    come('abcdef')
    assert.deepEqual([queue.waiting, dropped], [3, ['e', 'f']])
    time.pass(450)
    come('gh')
    time.pass(2000)
    assert.deepEqual(left, [
      ['a', 0],
      ['b', 200],
      ['c', 400],
      ['d', 600],
      ['g', 800],
      ['h', 1000],
    ])
    assert.deepEqual([queue.waiting, time.timers], [0, 0])
    come('i')
    assert.deepEqual(left.at(-1), ['i', 2450])
  })

  it('leave a shaper a frame’s share at a time', () => {
    const time = new HandTime(10_250)
    const left: [number, number][] = []
    const shaper = new Shaper<number>({
      limit: 2,
      window: '1s',
      queue: 3,
      clock: time.clock,
      timers: time,
      forward: (item) => void left.push([item, time.nowMs]),
    })
    const decisions = [0, 1, 2, 3, 4, 5].map((item) => shaper.handle(item))
    assert.deepEqual(
      decisions.map(({ allowed, waitMs }) => (allowed ? (waitMs ?? 0) : 'dropped')),
      [0, 0, 750, 750, 1750, 'dropped'],
    )
    time.pass(5000)
    assert.deepEqual(left, [
      [0, 10_250],
      [1, 10_250],
      [2, 11_000],
      [3, 11_000],
      [4, 12_000],
    ])
  })

  it('are not overtaken where the timer is late', () => {
    const { time, left, come } = queueAt()
    come('abc')
    // The clock goes on, and no timer rings: the process did something else.
    time.nowMs += 1000
    come('d')
    assert.deepEqual(left.map(([item]) => item).join(''), 'abcd')
  })

  it('of one key do not wait for those of another', () => {
    const { time, left, come } = queueAt({ queue: 1, key: (item) => item.toLowerCase() })
    come('aAbBa')
    time.pass(1000)
    assert.deepEqual(left, [
      ['a', 0],
      ['b', 0],
      ['A', 200],
      ['B', 200],
    ])
  })

  it('are bounded for all keys together, too', () => {
    const { time, left, dropped, queue, come } = queueAt({
      queue: 1,
      waitingMax: 2,
      key: (item) => item.toLowerCase(),
    })
    come('aAbBcC')
    assert.deepEqual([queue.waiting, dropped], [2, ['c', 'C']])
    time.pass(200)
    come('dD')
    assert.deepEqual(left.map(([item]) => item).join(''), 'abABd')
  })

  it('wait as long as before where the clock is set back', () => {
    const { time, left, come } = queueAt()
    come('abc')
    time.nowMs = 5
    come('d')
    time.pass(1000)
    assert.deepEqual(
      left.map(([item, at]) => [item, at + START - 5]),
      [
        ['a', START - 5],
        ['b', 200],
        ['c', 400],
        ['d', 600],
      ],
    )
  })

  it('leave where the clock jumps forward', () => {
    const { time, left, come } = queueAt()
    come('abc')
    time.nowMs += 9_000_000_000
    come('d')
    assert.equal(left.map(([item]) => item).join(''), 'abcd')
  })

  it('wait for weeks, which is longer than a timer can', () => {
    const time = new HandTime()
    const { forwarded, forward } = ends<number>()
    const queue = new LeakyQueue({
      limit: 1,
      window: '30d',
      queue: 2,
      clock: time.clock,
      timers: time,
      forward,
    })
    for (const item of [1, 2, 3]) queue.handle(item)
    time.pass(30 * 86_400_000 - 1)
    assert.deepEqual(forwarded, [1])
    time.pass(1)
    assert.deepEqual(forwarded, [1, 2])
    time.pass(30 * 86_400_000)
    assert.deepEqual(forwarded, [1, 2, 3])
  })

  it('are not lost where one before them throws', () => {
    const time = new HandTime()
    const left: string[] = []
    const queue = new LeakyQueue<string>({
      limit: 10,
      window: '1s',
      clock: time.clock,
      timers: time,
      forward(item) {
        if (item === 'b') throw new Error('b is broken')
        left.push(item)
      },
    })
    for (const item of 'abcd') queue.handle(item)
    assert.throws(() => time.pass(1000), /b is broken/)
    time.pass(1000)
    assert.deepEqual(left, ['a', 'c', 'd'])
  })

  it('may hand in more while they leave', () => {
    const time = new HandTime()
    const left: [number, number][] = []
    const queue = new LeakyQueue<number>({
      limit: 10,
      window: '1s',
      clock: time.clock,
      timers: time,
      forward(item) {
        left.push([item, time.nowMs])
        if (item < 5) queue.handle(item + 1)
      },
    })
    queue.handle(1)
    time.pass(1000)
    assert.deepEqual(left, [
      [1, 0],
      [2, 100],
      [3, 200],
      [4, 300],
      [5, 400],
    ])
  })

  it('can be called off', () => {
    const { time, left, queue, come } = queueAt()
    come('abcd')
    assert.deepEqual(queue.callOff(), ['b', 'c', 'd'])
    assert.deepEqual([queue.waiting, time.timers], [0, 0])
    time.pass(2000)
    assert.deepEqual(
      left.map(([item]) => item),
      ['a'],
    )
  })

  it('leave by the timers and the clock of the process where none are given', async () => {
    const left: [string, number][] = []
    await new Promise<void>((resolve) => {
      const queue = new LeakyQueue<string>({
        limit: 1,
        window: 20,
        queue: 3,
        forward(item) {
          left.push([item, performance.now()])
          if (item === 'd') resolve()
        },
      })
      for (const item of 'abcd') queue.handle(item)
    })
    assert.equal(left.map(([item]) => item).join(''), 'abcd')
    // The first came within a millisecond that the clock had begun.
    assert.ok(left[3]![1] - left[0]![1] >= 59)
  })
})

it('a queue by moments gives what is due first, and of one moment what came first', () => {
  const random = seededRandom(9)
  const queue = new DueQueue<number>()
  const expected: { item: number; dueMs: number }[] = []
  for (let item = 0; item < 2000; item += 1) {
    const dueMs = Math.floor(random() * 50)
    queue.push(item, dueMs)
    expected.push({ item, dueMs })
    if (random() < 0.4) {
      const [first] = expected.toSorted((a, b) => a.dueMs - b.dueMs || a.item - b.item)
      assert.equal(queue.nextMs, first!.dueMs)
      assert.equal(queue.shift(), first!.item)
      expected.splice(expected.indexOf(first!), 1)
    }
  }
  queue.advance(7)
  assert.equal(queue.nextMs, Math.min(...expected.map(({ dueMs }) => dueMs)) - 7)
  const rest = Array.from({ length: queue.size }, () => queue.shift())
  assert.deepEqual(
    rest,
    expected.toSorted((a, b) => a.dueMs - b.dueMs || a.item - b.item).map(({ item }) => item),
  )
  assert.equal(queue.nextMs, Infinity)
})
