import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ADMISSION_NAMES, POLICY_NAMES } from '../../cache/index.ts'
import { EdgeError } from '../../base/errors.ts'
import { NOW, request, response, SECOND } from './caching.support.ts'
import type { CacheFill } from './fill.ts'
import type { Waiting } from './flights.ts'
import { ResponseCache } from './response-cache.ts'

/**
 * Random traffic on a few addresses, with an origin that knows the truth: readers in several languages, writers,
 * clients that leave, bodies that break off. After each step: what the cache hands out is whole, of the right address
 * and language, made after the last write, and not older than its lifetime; and in the end nobody is left waiting.
 */
const BYTES_MAX = 30_000
const LIFETIME_SECONDS = 10

/** Addresses, and how the origin answers them. */
const ADDRESSES = [
  { key: 'example.org/plain', fields: {}, varies: false },
  { key: 'example.org/languages', fields: { vary: 'accept-language' }, varies: true },
  { key: 'example.org/private', fields: { 'cache-control': 'private, max-age=10' }, varies: false },
  { key: 'example.org/checked', fields: { 'cache-control': 'no-cache', etag: '"same"' }, varies: false },
] as const
type Address = (typeof ADDRESSES)[number]

function randomFrom(seed: number): (bound: number) => number {
  let state = seed
  return (bound) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * bound)
  }
}

class Reader {
  state: 'waiting' | 'fetching' | 'done' = 'done'
  fill: CacheFill | undefined
  seat: Waiting | undefined
  /** What the origin will have sent, once the head was there. */
  body: string | undefined
  sent = 0
  readonly address: Address
  readonly language: string
  readonly deadlineMs: number

  constructor(address: Address, language: string, deadlineMs: number) {
    this.address = address
    this.language = language
    this.deadlineMs = deadlineMs
  }
}

class World {
  readonly cache: ResponseCache
  readonly random: (bound: number) => number
  readonly readers = new Set<Reader>()
  readonly versions = new Map<string, number>()
  nowMs = NOW
  hits = 0

  constructor(seed: number) {
    this.random = randomFrom(seed)
    this.cache = new ResponseCache({
      bytesMax: BYTES_MAX,
      objectBytesMax: 5_000,
      policy: POLICY_NAMES[seed % POLICY_NAMES.length]!,
      admission: ADMISSION_NAMES[seed % ADMISSION_NAMES.length]!,
    })
  }

  pick<T>(from: readonly T[]): T {
    return from[this.random(from.length)]!
  }

  step(): void {
    const fetching = [...this.readers].filter(({ state }) => state === 'fetching')
    switch (this.random(20)) {
      case 0:
        this.write(this.pick(ADDRESSES))
        break
      case 1:
        this.nowMs += this.random(3 * SECOND)
        this.cache.sweep(this.nowMs)
        break
      case 2:
        if (this.readers.size > 0) this.leave(this.pick([...this.readers]))
        break
      case 3:
      case 4:
      case 5:
      case 6:
      case 7: {
        const languages = ['pt', 'en', 'fr']
        const reader = new Reader(this.pick(ADDRESSES), this.pick(languages), this.nowMs + 5 * SECOND)
        this.readers.add(reader)
        this.read(reader)
        break
      }
      default:
        if (fetching.length > 0) this.advance(this.pick(fetching))
    }
    assert.ok(this.cache.counters.bytes <= BYTES_MAX)
  }

  read(reader: Reader): void {
    const { key } = reader.address
    const head = request({ 'accept-language': reader.language })
    const found = this.cache.lookup(key, head, this.nowMs)
    if (found.kind === 'hit') {
      this.check(reader, found.entry.body.bytes.toString())
      this.end(reader)
      return
    }
    assert.ok(found.kind === 'miss' || found.kind === 'stale')
    const seat = this.cache.join(key, head, found, this.nowMs, reader.deadlineMs, (error) => {
      assert.equal(reader.state, 'waiting')
      if (error === undefined) this.read(reader)
      else this.end(reader)
    })
    reader.state = seat.kind === 'fill' ? 'fetching' : 'waiting'
    if (seat.kind === 'fill') reader.fill = seat
    else reader.seat = seat
  }

  /** The origin does the next thing for this fetch. */
  advance(reader: Reader): void {
    const { fill, address, body } = reader
    if (body === undefined) {
      const version = this.versions.get(address.key) ?? 0
      const filling = 'x'.repeat(this.random(2_000))
      reader.body = `${JSON.stringify({ key: address.key, language: reader.language, version, madeMs: this.nowMs })}${filling}.`
      const control = { 'cache-control': `max-age=${LIFETIME_SECONDS}` }
      fill!.begin(response({ ...control, ...address.fields }), this.nowMs)
      return
    }
    if (this.random(10) === 0) {
      fill!.fail(new EdgeError('origin-closed', 'broke off'))
      this.end(reader)
      return
    }
    const piece = body.slice(reader.sent, reader.sent + 1 + this.random(1_500))
    reader.sent += piece.length
    fill!.append(Buffer.from(piece))
    if (reader.sent < body.length) return
    fill!.finish(this.nowMs)
    this.end(reader)
  }

  write(address: Address): void {
    this.versions.set(address.key, (this.versions.get(address.key) ?? 0) + 1)
    this.cache.invalidate(address.key)
  }

  leave(reader: Reader): void {
    if (reader.state === 'waiting') reader.seat!.cancel()
    if (reader.state === 'fetching') reader.fill!.abandon()
    this.end(reader)
  }

  end(reader: Reader): void {
    reader.state = 'done'
    this.readers.delete(reader)
  }

  check(reader: Reader, text: string): void {
    this.hits++
    const { key, varies } = reader.address
    assert.equal(text.at(-1), '.', 'the body is whole')
    const made = JSON.parse(text.slice(0, text.indexOf('}') + 1)) as Record<string, unknown>
    assert.equal(made['key'], key)
    if (varies) assert.equal(made['language'], reader.language)
    assert.equal(made['version'], this.versions.get(key) ?? 0, 'from after the last write')
    assert.ok(this.nowMs - Number(made['madeMs']) < LIFETIME_SECONDS * SECOND, 'fresh')
    assert.ok(!key.endsWith('private') && !key.endsWith('checked'), 'allowed without asking')
  }
}

describe('the cache under random traffic', () => {
  it('hands out nothing partial, mixed up, outdated or stale, and leaves nobody waiting', () => {
    let hits = 0
    for (let seed = 1; seed <= 44; seed++) {
      const world = new World(seed)
      try {
        for (let step = 0; step < 1_500; step++) world.step()
        // All who fetch give up, until none is left: each time, those who waited take over.
        for (let round = 0; world.readers.size > 0; round++) {
          assert.ok(round < 1_000, 'somebody waits for ever')
          for (const reader of world.readers) if (reader.state === 'fetching') world.leave(reader)
        }
        assert.equal(world.cache.counters.flights, 0)
      } catch (error) {
        throw new Error(`seed ${seed}`, { cause: error })
      }
      hits += world.hits
    }
    assert.ok(hits > 1_000, `only ${hits} hits: the test shows little`)
  })
})
