/**
 * Purges on their way into the log. Those that are asked for while one append is under way go in together with the next: a hundred a second cost
 * the disk what ten do. They wait for no other change, and no other change has to be planned anew for them (`behindPurges`).
 */
import type { Clock } from '../../base/clock.ts'
import { isBanKey } from '../../contract/bans.ts'
import { isPurgeKey, purgeKey, type Purge } from '../../contract/purge.ts'
import type { Effect, LocalStore, Position } from '../../contract/store.ts'
import { appendPlanned, type StoreWriter } from '../../replication/store-writer.ts'
import type { PurgeLedger } from './purge-ledger.ts'

export interface PurgeWriterParts {
  readonly store: LocalStore
  readonly writer: StoreWriter
  readonly clock: Clock
  readonly ledger: PurgeLedger
}

interface Asked {
  readonly purge: Purge
  readonly done: PromiseWithResolvers<Position>
}

/** Purges, and characters of them, that go in together. */
const TOGETHER_MAX = 100
const CHARACTERS_MAX = 2_000_000

export class PurgeWriter {
  readonly #parts: PurgeWriterParts
  #asked: Asked[] = []
  #isWriting = false

  constructor(parts: PurgeWriterParts) {
    this.#parts = parts
  }

  /** Resolves when it is in the log, with its position: the id is that of the purge. */
  write(purge: Purge): Promise<Position> {
    const done = Promise.withResolvers<Position>()
    this.#asked.push({ purge, done })
    void this.#write()
    return done.promise
  }

  async #write(): Promise<void> {
    if (this.#isWriting) return
    this.#isWriting = true
    while (this.#asked.length > 0) {
      const texts: string[] = []
      const taken: Asked[] = []
      let characters = 0
      for (const asked of this.#asked) {
        const text = JSON.stringify(asked.purge)
        characters += text.length
        if (taken.length > 0 && (taken.length === TOGETHER_MAX || characters > CHARACTERS_MAX)) break
        texts.push(text)
        taken.push(asked)
      }
      this.#asked = this.#asked.slice(taken.length)
      try {
        const { first, position } = await this.#append(texts)
        // All of one append have one hash to be told by: what is compared are ids.
        for (const [index, { done }] of taken.entries()) done.resolve({ ...position, id: first + index })
      } catch (error) {
        for (const { done } of taken) done.reject(error as Error)
      }
    }
    this.#isWriting = false
  }

  async #append(texts: readonly string[]): Promise<{ first: number; position: Position }> {
    const { store, writer, clock, ledger } = this.#parts
    let first = 0
    const position = await appendPlanned(store, writer, () => {
      first = store.position().id + 1
      const purges = texts.map((value, index): Effect => ({
        operation: 'SET',
        key: purgeKey(first + index),
        value,
      }))
      return [...purges, ...ledger.outdated(clock.now(), texts)]
    })
    return { first, position }
  }
}

/**
 * Where a change may be appended that was planned at a position: behind the purges and bans that came since, which it does not depend on. The position itself
 * where something else has come, too.
 */
export function behindPurges(store: LocalStore, plannedAt: Position): Position {
  const now = store.position()
  if (now.id === plannedAt.id) return plannedAt
  let at = plannedAt
  for (;;) {
    const entries = store.entriesAfter(at, 500)
    if (entries === 'reset' || entries.some(({ key }) => !isPurgeKey(key) && !isBanKey(key))) return plannedAt
    const last = entries.at(-1)
    if (last === undefined) return at
    at = { log: at.log, id: last.id, hash: last.hash }
  }
}
