/** `orla/limit` as a stranger meets it: what limiters are made with, what they take, and how many keys they remember. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import * as limits from 'orla/limit'
import {
  FixedWindow,
  Gcra,
  LeakyBucket,
  LeakyQueue,
  type Limiter,
  Shaper,
  SlidingLog,
  SlidingWindow,
  TokenBucket,
} from 'orla/limit'
import { seededRandom } from '../cache/seeded-random.ts'
import { HandTime } from './hand-time.support.ts'

const ALL = { FixedWindow, Gcra, LeakyBucket, LeakyQueue, Shaper, SlidingLog, SlidingWindow, TokenBucket }

describe('the options of a limiter', () => {
  it('say how much in how much time, in milliseconds or in words', () => {
    for (const window of [1000, '1s', '1000ms', '1 s']) {
      const bucket = new TokenBucket({ limit: 5, window, burst: 10, clock: () => 77.9 })
      assert.deepEqual(bucket.take('ana'), { allowed: true, remaining: 9, retryAfterMs: 0, resetMs: 200 })
      assert.equal(bucket.take('ana', 9).remaining, 0)
      assert.deepEqual(bucket.take('ana'), { allowed: false, remaining: 0, retryAfterMs: 200, resetMs: 2000 })
      assert.equal(bucket.take('bob').allowed, true)
    }
  })

  const make = (options: unknown) => () => new TokenBucket(options as { limit: number; window: number })
  const given = { limit: 5, window: '1s' }
  const refused: readonly [string, () => unknown, string, RegExp][] = [
    [
      'nothing',
      make(undefined),
      'TypeError',
      /^a limiter is made with options such as { limit: 5, window: '1s' }, not undefined$/,
    ],
    [
      'no limit',
      make({ window: '1s' }),
      'TypeError',
      /^limit is missing: a limiter is made with options such as /,
    ],
    ['no window', make({ limit: 5 }), 'TypeError', /^window is missing: /],
    [
      'a misspelt option',
      make({ ...given, bust: 1 }),
      'TypeError',
      /^bust: a token-bucket has no such option; did you mean burst\? \(known: limit, /,
    ],
    [
      'an option of another',
      make({ ...given, queue: 1 }),
      'TypeError',
      /^queue: a token-bucket has no such option/,
    ],
    ...[0, -5, 1.5, NaN, Infinity, 2e9, '5'].map((limit): [string, () => unknown, string, RegExp] => [
      `a limit of ${JSON.stringify(limit)}`,
      make({ ...given, limit }),
      'RangeError',
      /^limit: expected a whole number from 1 to 1000000000, not /,
    ]),
    ...[0, -1, 0.5, NaN, 'soon', '31d', '0s', '', true].map(
      (window): [string, () => unknown, string, RegExp] => [
        `a window of ${JSON.stringify(window)}`,
        make({ ...given, window }),
        'RangeError',
        /^window: expected whole milliseconds or a time such as "200ms", "1s" or "30d", from 1 ms to 30 days, not /,
      ],
    ),
    [
      'a burst of 0',
      make({ ...given, burst: 0 }),
      'RangeError',
      /^burst: expected a whole number from 1 to /,
    ],
    [
      'no keys',
      make({ ...given, keysMax: 0 }),
      'RangeError',
      /^keysMax: expected a whole number from 1 to 16000000, not 0$/,
    ],
    [
      'a clock that is none',
      make({ ...given, clock: 5 }),
      'TypeError',
      /^clock: expected a function, not 5$/,
    ],
    [
      'forward that is none',
      make({ ...given, forward: true }),
      'TypeError',
      /^forward: expected a function, not true$/,
    ],
    [
      'a long log',
      () => new SlidingLog({ limit: 4097, window: 1 }),
      'RangeError',
      /counts to 4096 in a window, not to 4097/,
    ],
    [
      'startFull that is none',
      () => new SlidingWindow({ ...given, startFull: 1 as unknown as boolean }),
      'TypeError',
      /^startFull: expected true or false/,
    ],
    [
      'a queue too long',
      () => new LeakyQueue({ ...given, queue: 1e6 }),
      'RangeError',
      /^queue: expected a whole number from 0 to 100000, /,
    ],
    [
      'timers that are none',
      () => new Shaper({ ...given, timers: {} as HandTime }),
      'TypeError',
      /^timers: expected an object with later/,
    ],
    [
      'nobody waiting',
      () => new Shaper({ ...given, waitingMax: 0 }),
      'RangeError',
      /^waitingMax: expected a whole number from 1 to /,
    ],
  ]
  for (const [what, attempt, name, message] of refused)
    it(`refuse ${what}, and say what would be right`, () => assert.throws(attempt, { name, message }))

  it('take the clock of the process where none is given, and `Date.now` where windows follow the wall', () => {
    const bucket = new TokenBucket({ limit: 1, window: '1h' })
    assert.deepEqual([bucket.take('ana').allowed, bucket.take('ana').allowed], [true, false])
    const { resetMs } = new FixedWindow({ limit: 1, window: '1d', clock: Date.now }).take('ana')
    const untilMidnight = 86_400_000 - (Date.now() % 86_400_000)
    assert.ok(Math.abs(resetMs - untilMidnight) < 60_000 || Math.abs(resetMs - untilMidnight) > 86_340_000)
  })

  it('let a clock speak nonsense only once', () => {
    for (const nonsense of [NaN, -1, Infinity, 'now' as unknown as number])
      assert.throws(() => new TokenBucket({ limit: 1, window: 1, clock: () => nonsense }).take('ana'), {
        name: 'RangeError',
        message: /^clock: expected milliseconds from 0 to 8640000000000000, not /,
      })
  })

  it('begin the windows of a sliding window with the limiter, on a clock of one’s own', () => {
    const time = new HandTime(1_790_000_000_437)
    const window = new SlidingWindow({ limit: 5, window: '1s', startFull: true, clock: time.clock })
    const allowed = Array.from({ length: 24 }, (_, packet) => {
      time.pass(100)
      return window.take('').allowed ? packet : -1
    })
    assert.deepEqual(
      allowed.filter((packet) => packet >= 0),
      [0, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23],
    )
  })
})

describe('what a limiter is asked', () => {
  for (const [name, Kind] of Object.entries(ALL)) {
    const make = (): Limiter => new Kind({ limit: 3, window: '1s', clock: () => 5000 })

    it(`${name} takes whole costs from 0, and says what else is wrong`, () => {
      const limiter = make()
      for (const cost of [-1, 0.5, NaN, Infinity, 2 ** 53, '1' as unknown as number])
        assert.throws(() => limiter.take('ana', cost), {
          name: 'RangeError',
          message: /^cost: expected a whole number from 0 to 9007199254740991, not /,
        })
      for (const now of [-1, 0.5, NaN, Infinity, 8.64e15 + 2])
        assert.throws(() => limiter.take('ana', 1, now), {
          name: 'RangeError',
          message: /^now: expected a whole number from 0 to /,
        })
      for (const key of [undefined, null, 5, {}])
        assert.throws(() => limiter.take(key as string), {
          name: 'TypeError',
          message: /^key: expected a string, not /,
        })
      assert.equal(limiter.take('ana', 0).allowed, true)
      assert.equal(limiter.take('ana', 2 ** 40).retryAfterMs, Infinity)
      assert.equal(limiter.take('ana', 3).allowed, true)
    })

    it(`${name} takes keys of no bytes and of 64 KiB, and tells them apart`, () => {
      const limiter = new Kind({ limit: 1, window: '1s', clock: () => 5000 })
      const long = 'k'.repeat(65_535)
      const keys = [
        '',
        '\0',
        'é'.repeat(256),
        'é'.repeat(257),
        `${long}a`,
        `${long}b`,
        '#'.repeat(256),
        '#'.repeat(300),
      ]
      for (const key of keys) {
        const { remaining } = limiter.take(key)
        assert.equal(limiter.take(key, 0).remaining, remaining)
        while (limiter.take(key).allowed);
      }
      assert.equal(new Set(keys.map((key) => limiter.take(key, 0).remaining)).size, 1)
      assert.equal(limiter.take('').allowed, false)
      assert.equal(limiter.take(`${long}c`).allowed, true)
    })
  }

  it('is at a moment of one’s own, where one is given', () => {
    const log = new SlidingLog({ limit: 1, window: 1000 })
    assert.deepEqual(
      [0, 999, 1000, 1999, 2000].map((now) => log.take('ana', 1, now).allowed),
      [true, false, true, false, true],
    )
  })

  it('is answered by a limiter of each kind that orla/limit has for texts', () => {
    const kinds = Object.entries(limits).filter(
      ([name, value]) =>
        typeof value === 'function' && 'take' in (value.prototype ?? {}) && name !== 'AddressLimiter',
    )
    assert.deepEqual(kinds.map(([name]) => name).toSorted(), Object.keys(ALL).toSorted())
  })
})

describe('the keys of a limiter', () => {
  it('are bounded, and the limit of a key that made room still holds', () => {
    for (const Kind of Object.values(ALL)) {
      const limiter: Limiter & { size: number } = new Kind({
        limit: 3,
        window: '1m',
        keysMax: 100,
        clock: () => 90_000,
      })
      while (limiter.take('offender').allowed);
      for (let other = 0; other < 1000; other += 1) limiter.take(`other ${other}`)
      assert.equal(limiter.size, 100)
      assert.equal(limiter.take('offender').allowed, false, Kind.name)
    }
  })

  it('are given room by those that have all their allowance, and by those that were not asked for', () => {
    const time = new HandTime(1000)
    const bucket = new TokenBucket({ limit: 10, window: '1s', keysMax: 4, clock: time.clock })
    for (const key of ['idle', 'once', 'often']) bucket.take(key)
    time.pass(100)
    for (const key of ['once', 'often', 'last']) bucket.take(key, 5)
    for (let round = 0; round < 5; round += 1) bucket.take('often', 0)
    // `idle` makes room, and is new again; `often` is in its place, to the token.
    bucket.take('new')
    assert.equal(bucket.take('often', 0).remaining, 5)
    assert.equal(bucket.size, 4)
  })

  it('that made room are remembered as having used what they had, and never less', () => {
    const random = seededRandom(5)
    const upTo = (most: number): number => Math.floor(random() * (most + 1))
    for (const Kind of Object.values(ALL)) {
      const plan = { limit: 20, window: '10s' }
      const [large, small] = [new Kind(plan), new Kind({ ...plan, keysMax: 50 })]
      for (let now = 100_000; now < 110_000; now += upTo(1)) {
        const key = `key ${upTo(200)}`
        const [truth, remembered] = [large.take(key, 0, now), small.take(key, 0, now)]
        assert.ok(remembered.remaining <= truth.remaining, `${Kind.name}, ${key} at ${now}`)
        // Both are asked the same, and take the same.
        if (remembered.remaining > 0) for (const one of [large, small]) one.take(key, 1, now)
      }
    }
  })

  it('that come and go all the time are given nearly all that they may take', () => {
    const random = seededRandom(6)
    for (const Kind of [TokenBucket, LeakyBucket, Gcra, FixedWindow, SlidingWindow, SlidingLog]) {
      const plan = { limit: 20, window: '10s' }
      const [large, small] = [new Kind(plan), new Kind({ ...plan, keysMax: 50 })]
      const given = [0, 0]
      for (let now = 0; now < 100_000; now += 2) {
        const key = `key ${Math.floor(random() * 200)}`
        for (const [index, one] of [large, small].entries())
          if (one.take(key, 1, now).allowed) given[index]! += 1
      }
      assert.ok(given[1]! <= given[0]!, `${Kind.name}: ${given}`)
      assert.ok(given[1]! > given[0]! * 0.9, `${Kind.name}: ${given}`)
    }
  })

  it('that were never seen are not held for others, unless cells collide', () => {
    const bucket = new TokenBucket({ limit: 3, window: '1h', keysMax: 100, clock: () => 5 })
    for (let offender = 0; offender < 300; offender += 1) bucket.take(`offender ${offender}`, 3)
    let wrong = 0
    for (let honest = 0; honest < 2000; honest += 1) if (!bucket.take(`honest ${honest}`).allowed) wrong += 1
    // (1 − e^(−300/8192))² is 0.13 %: 3 of 2000 are expected, and 20 would be a miracle.
    assert.ok(wrong < 20, `${wrong} of 2000`)
  })
})
