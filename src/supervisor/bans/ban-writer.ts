/**
 * Bans on their way into the log. As with purges, those that are asked for while one append is under way go in together with the next, and no other
 * change waits for them or is planned anew for them.
 */
import { setImmediate } from 'node:timers/promises'
import type { Clock } from '../../base/clock.ts'
import { EdgeError } from '../../base/errors.ts'
import { banKey, type BanRecord, parseBan } from '../../contract/bans.ts'
import type { Effect, LocalStore, Position } from '../../contract/store.ts'
import { appendPlanned, type StoreWriter } from '../../replication/store-writer.ts'
import type { BanBook } from './ban-book.ts'

export interface BanWriterParts {
  readonly store: LocalStore
  readonly writer: StoreWriter
  readonly clock: Clock
  readonly book: Pick<BanBook, 'loggedCount' | 'endedBefore'>
  readonly bansMax: () => number
}

/** One of them, as it is to stand. */
export interface NewBan {
  readonly prefix: string
  readonly forMs: number
  readonly record: Omit<BanRecord, 'until' | 'at'>
}

export interface WriteOptions {
  /** One that ends later stays as it is. */
  readonly onlyLonger: boolean
}

interface Asked {
  /** Called anew where something else came first. Throws `EdgeError`, with nothing of it written. */
  readonly plan: (batch: Map<string, string | undefined>) => void
  readonly done: PromiseWithResolvers<Position>
}

/** Requests that go in together. */
const TOGETHER_MAX = 100
/** What ended so long ago is taken out of the log: clocks of nodes may differ by less than that. */
const ENDED_KEPT_MS = 60_000
/** Of these so many at once. */
const OUT_AT_ONCE = 1000

export class BanWriter {
  readonly #parts: BanWriterParts
  #asked: Asked[] = []
  #isWriting = false

  constructor(parts: BanWriterParts) {
    this.#parts = parts
  }

  /** All of them or none. Resolves when they are in the log, with the position and when each ends. Throws `ban-limit`. */
  async write(
    bans: readonly NewBan[],
    { onlyLonger }: WriteOptions,
  ): Promise<{ readonly position: Position; readonly until: readonly number[] }> {
    const { store, clock, bansMax, book } = this.#parts
    let until: number[] = []
    const position = await this.#ask((batch) => {
      const at = clock.now()
      const isNew = (key: string) => store.get(key) === undefined
      const before = [...batch]
        .filter(([key, value]) => value !== undefined && isNew(key))
        .map(([key]) => key)
      const fresh = bans.map(({ prefix }) => banKey(prefix)).filter(isNew)
      const count = book.loggedCount + new Set([...before, ...fresh]).size
      if (fresh.length > 0 && count > bansMax())
        throw new EdgeError(
          'ban-limit',
          `there would be ${count} bans, and \`bans.max\` is ${bansMax()}: nothing was banned`,
        )
      until = bans.map(({ prefix, forMs, record }) => {
        const key = banKey(prefix)
        const text = batch.has(key) ? batch.get(key) : store.get(key)
        const before = text === undefined ? undefined : parseBan(text)
        if (onlyLonger && before !== undefined && before.until >= at + forMs) return before.until
        const value: BanRecord = { until: at + forMs, at, ...record }
        batch.set(key, JSON.stringify(value))
        return value.until
      })
    })
    return { position, until }
  }

  /** Takes bans out of the log. Throws `ban-unknown` where one is not there, with nothing changed. */
  remove(prefixes: readonly string[]): Promise<Position> {
    const { store } = this.#parts
    return this.#ask((batch) => {
      for (const prefix of prefixes) {
        const key = banKey(prefix)
        if ((batch.has(key) ? batch.get(key) : store.get(key)) === undefined)
          throw new EdgeError('ban-unknown', `${prefix} is not banned: nothing was changed`)
        batch.set(key, undefined)
      }
    })
  }

  /** Takes out of the log what has ended. */
  async clean(): Promise<void> {
    const { clock, book } = this.#parts
    const ended = book.endedBefore(clock.now() - ENDED_KEPT_MS)
    for (let from = 0; from < ended.length; from += OUT_AT_ONCE) {
      // Appends do their I/O at once: without it nobody else would have a turn until the last of them is out.
      if (from > 0) await setImmediate()
      await this.#ask((batch) => {
        const { store } = this.#parts
        for (const prefix of ended.slice(from, from + OUT_AT_ONCE)) {
          const key = banKey(prefix)
          const text = batch.has(key) ? batch.get(key) : store.get(key)
          const record = text === undefined ? undefined : parseBan(text)
          // It may have been banned anew meanwhile.
          if (text !== undefined && (record?.until ?? 0) < clock.now() - ENDED_KEPT_MS)
            batch.set(key, undefined)
        }
      })
    }
  }

  #ask(plan: Asked['plan']): Promise<Position> {
    const done = Promise.withResolvers<Position>()
    this.#asked.push({ plan, done })
    void this.#write()
    return done.promise
  }

  async #write(): Promise<void> {
    if (this.#isWriting) return
    this.#isWriting = true
    const { store, writer } = this.#parts
    while (this.#asked.length > 0) {
      const taken = this.#asked.splice(0, TOGETHER_MAX)
      const failed = new Map<Asked, unknown>()
      try {
        const position = await appendPlanned(store, writer, () => {
          failed.clear()
          let batch = new Map<string, string | undefined>()
          for (const asked of taken) {
            const next = new Map(batch)
            try {
              asked.plan(next)
              batch = next
            } catch (error) {
              failed.set(asked, error)
            }
          }
          return [...batch].map(([key, value]): Effect =>
            value === undefined ? { operation: 'DELETE', key } : { operation: 'SET', key, value },
          )
        })
        for (const asked of taken)
          if (failed.has(asked)) asked.done.reject(failed.get(asked))
          else asked.done.resolve(position)
      } catch (error) {
        for (const { done } of taken) done.reject(error)
      }
    }
    this.#isWriting = false
  }
}
