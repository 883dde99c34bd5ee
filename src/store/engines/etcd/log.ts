/** One log in etcd. How it lies there stands in `records.ts`. */
import { EdgeError } from '../../../base/errors.ts'
import type { SharedLog } from '../../../contract/shared-log.ts'
import { samePosition, type LogEntry, type Position, type Snapshot } from '../../../contract/store.ts'
import { PAGE_RECORDS, readBatches, writeBatch } from './batches.ts'
import { letGo } from './folding.ts'
import { endOf, get, type Operation, put, range, remove, transact, valueIs } from './kv.ts'
import { headIn, headOrNew, type LogPlace, lookAt, newName } from './place.ts'
import { baseOf, batchOf, generationKeys, type Head, headKey, headOf, headText } from './records.ts'
import { replaceLog } from './replacing.ts'
import { readSnapshot } from './state.ts'

export interface HeadWatch {
  /** Calls it soon after the head of that log has changed, and now and then for nothing. */
  on(log: string, onChange: () => void): () => void
}

export class EtcdLog implements SharedLog {
  readonly #place: LogPlace
  readonly #watch: HeadWatch
  /** As it was seen last. It may have moved since: it saves a look where it has not. */
  #known: Head | undefined

  constructor(place: LogPlace, watch: HeadWatch) {
    this.#place = place
    this.#watch = watch
  }

  async head(): Promise<Position> {
    this.#known = await headOrNew(this.#place)
    return this.#known.position
  }

  async append(expected: Position, entries: readonly LogEntry[]): Promise<'appended' | 'conflict'> {
    const place = this.#place
    const last = entries.at(-1)
    if (last === undefined) return samePosition(await this.head(), expected) ? 'appended' : 'conflict'
    let head = this.#known
    if (head === undefined || !samePosition(head.position, expected)) {
      head = (await lookAt(place, head?.generation))?.head
      this.#known = head
    }
    if (head === undefined || !samePosition(head.position, expected))
      return this.#outcomeOf(head, expected, last)

    const keys = generationKeys(place.prefix, place.name, head.generation)
    const batch = writeBatch(keys, expected, entries, newName())
    for (const part of batch.before) await transact(place.gateway, { success: [part] })
    const next = headText({ log: expected.log, id: last.id, hash: last.hash }, head.generation)
    const now = await this.#moveHead(head.text, next, batch.record)
    this.#known = now
    if (now?.text === next) return 'appended'
    const outcome = await this.#outcomeOf(now, expected, last)
    // The head has moved, so this try can never come to be in the log: its parts are nobody's. Where removing them fails, they go with the
    // entries of the same id.
    if (outcome === 'conflict' && batch.before.length > 0) {
      await transact(place.gateway, { success: [remove(batch.blob, endOf(batch.blob))] }).catch(() => {})
    }
    // Replaced by what stands at the same position: it goes on from there.
    return now !== undefined && samePosition(now.position, expected)
      ? this.append(expected, entries)
      : outcome
  }

  /** The head after a try to move it: `to`, also where an earlier try did it, or where others have moved it. */
  async #moveHead(from: string, to: string, record: readonly Operation[]): Promise<Head | undefined> {
    const place = this.#place
    const key = headKey(place.prefix, place.name)
    try {
      const { succeeded, ranges } = await transact(place.gateway, {
        compare: [valueIs(key, from)],
        success: [...record, put(key, to)],
        failure: [get(key)],
      })
      return succeeded ? headOf(to) : headIn(place, ranges[0])
    } catch (error) {
      // What makes etcd's database full is refused with "database space exceeded", and done all the same.
      if (!(error instanceof EdgeError) || error.code !== 'store-refused') throw error
      const look = await lookAt(place, undefined)
      if (look?.head.text !== to) throw error
      return look.head
    }
  }

  /** Whether entries that end with `last` are in the log: put there by a call whose answer was lost. */
  async #outcomeOf(
    head: Head | undefined,
    expected: Position,
    last: LogEntry,
  ): Promise<'appended' | 'conflict'> {
    const { prefix, name, gateway } = this.#place
    if (head === undefined || head.position.log !== expected.log || head.position.id < last.id)
      return 'conflict'
    const keys = generationKeys(prefix, name, head.generation)
    const { ranges } = await transact(gateway, { success: [get(keys.batch(last.id)), get(keys.base)] })
    const [record, base] = ranges.map((found) => found[0]?.value.toString())
    // A hash stands for all before it: where the last one is the same, all entries are, and where they began is too.
    const batch = record === undefined ? undefined : batchOf(record)
    if (batch !== undefined) {
      return batch.hash === last.hash && batch.first === expected.id + 1 ? 'appended' : 'conflict'
    }
    const at = base === undefined ? undefined : baseOf(base)
    return at?.id === last.id && at.hash === last.hash ? 'appended' : 'conflict'
  }

  async read(after: Position, limit: number): Promise<readonly LogEntry[] | 'reset'> {
    const look = await lookAt(this.#place, this.#known?.generation, (keys) => [
      range(keys.batch(after.id + 1), keys.batchesEnd, Math.min(limit, PAGE_RECORDS)),
    ])
    this.#known = look?.head
    if (look === undefined) return 'reset'
    const { position } = look.head
    if (position.log !== after.log || position.id < after.id) return 'reset'
    if (position.id === after.id) return position.hash === after.hash ? [] : 'reset'
    const { base } = look
    if (base === undefined || after.id < base.id) return 'reset'
    if (after.id === base.id && after.hash !== base.hash) return 'reset'
    const entries = await readBatches(this.#place.gateway, look.ranges[0]!, after, { limit })
    return entries.length === 0 ? 'reset' : entries
  }

  async snapshot(): Promise<Snapshot> {
    for (;;) {
      const found = await readSnapshot(this.#place, this.#known?.generation)
      if (found !== undefined) return found
      await this.head()
    }
  }

  async replace(expected: Position, snapshot: Snapshot): Promise<'replaced' | 'conflict'> {
    const head = await replaceLog(this.#place, expected, snapshot)
    this.#known = head
    return head === undefined ? 'conflict' : 'replaced'
  }

  trim(id: number): Promise<void> {
    return letGo(this.#place, this.#known?.generation, id)
  }

  watch(onChange: () => void): () => void {
    return this.#watch.on(this.#place.name, onChange)
  }
}
