/**
 * Writes to a shared log while servers die, and remembers what it was told: then the log is held against it.
 *
 * What no answer came to may be in the log or not; the witness reads on until it knows, as a control plane does, so no key of its own
 * may be there twice.
 */
import assert from 'node:assert/strict'
import { EdgeError } from '../../src/base/errors.ts'
import type { SharedLog } from '../../src/contract/shared-log.ts'
import type { LogEntry, Position } from '../../src/contract/store.ts'
import { chain, follow, GENESIS } from '../../src/store/chain.ts'
import { eventually } from './eventually.ts'

export class LogWitness {
  /** Key and id of what was acknowledged. */
  readonly acknowledged = new Map<string, number>()
  /** Calls that ended with `store-unavailable`. */
  unanswered = 0
  /** The longest that one call took. */
  longestMs = 0
  readonly #log: SharedLog
  readonly #name: string
  #position: Position | undefined
  #written = 0

  constructor(log: SharedLog, name: string) {
    this.#log = log
    this.#name = name
  }

  /** One entry with a key of its own; resolves when it is known to be in the log. */
  async write(value = 'x'): Promise<void> {
    const key = `${this.#name}-${++this.#written}`
    while (!this.acknowledged.has(key)) {
      const position = (this.#position ??= await this.#asked(() => this.#log.head()))
      if (position === undefined) continue
      const entries = chain(position, [{ operation: 'SET', key, value }], 0)
      const outcome = await this.#asked(() => this.#log.append(position, entries))
      if (outcome === 'appended') this.#take(entries)
      else await this.#readOn()
    }
  }

  async writeUntil(isOver: () => boolean): Promise<void> {
    while (!isOver()) await this.write()
  }

  async #readOn(): Promise<void> {
    const position = this.#position!
    const page = await this.#asked(() => this.#log.read(position, 500))
    assert.notEqual(page, 'reset')
    if (page !== undefined) this.#take(page as readonly LogEntry[])
  }

  #take(entries: readonly LogEntry[]): void {
    this.#position = follow(this.#position!, entries)
    for (const { id, key } of entries) if (key.startsWith(`${this.#name}-`)) this.acknowledged.set(key, id)
  }

  /** Undefined where no answer came. */
  async #asked<T>(work: () => Promise<T>): Promise<T | undefined> {
    const startMs = performance.now()
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof EdgeError) || error.code !== 'store-unavailable') throw error
      this.unanswered += 1
      return undefined
    } finally {
      this.longestMs = Math.max(this.longestMs, performance.now() - startMs)
    }
  }
}

/** The whole log from its start, read with patience. Throws where it has a gap or another history. */
export async function wholeLog(log: SharedLog): Promise<readonly LogEntry[]> {
  const head = await eventually(() => log.head())
  let position: Position = { log: head.log, id: 0, hash: GENESIS }
  const entries: LogEntry[] = []
  while (position.id < head.id) {
    const page = await eventually(() => log.read(position, 1000))
    assert.ok(page !== 'reset' && page.length > 0, `it ends at ${position.id}, and its head is ${head.id}`)
    position = follow(position, page)
    entries.push(...page)
  }
  return entries
}

/** Nothing that was acknowledged is missing, elsewhere or there twice; and snapshot says what the log adds up to. */
export async function holdAgainst(log: SharedLog, witnesses: readonly LogWitness[]): Promise<void> {
  const entries = await wholeLog(log)
  const keys = new Set(entries.map(({ key }) => key))
  assert.equal(keys.size, entries.length, 'a key is in the log twice')
  for (const witness of witnesses) {
    for (const [key, id] of witness.acknowledged) assert.equal(entries[id - 1]?.key, key)
  }
  const snapshot = await eventually(() => log.snapshot())
  assert.deepEqual(new Set(snapshot.entries.keys()), keys)
}
