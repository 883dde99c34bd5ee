/**
 * The state: read at one moment, written in groups that fit into a transaction.
 *
 * While entries are folded into it, some of its keys are ahead of the base and some values are half written. That does no harm: all of
 * those entries are still among the batches, and whoever reads the state plays them over it.
 */
import type { Effect, LogEntry, Snapshot } from '../../../contract/store.ts'
import { EdgeError } from '../../../base/errors.ts'
import { PAGE_RECORDS, partsOf, readBatches } from './batches.ts'
import { Compacted, type Gateway } from './gateway.ts'
import { endOf, type Operation, put, rangeAt, remove } from './kv.ts'
import { damaged, type Look, type LogPlace, lookAt, OPERATIONS_MAX, REQUEST_BYTES_MAX } from './place.ts'
import { type Keys, stateKeyOf } from './records.ts'

/** Small enough for a page of parts to be small. */
const PART_BYTES = 256 * 1024
/** How often a snapshot is begun again where etcd is compacted meanwhile. */
const STARTS_MAX = 5

/** Undefined where there is no log. */
export async function readSnapshot(
  place: LogPlace,
  generation: string | undefined,
): Promise<Snapshot | undefined> {
  for (let start = 1; ; start += 1) {
    const look = await lookAt(place, generation)
    if (look === undefined) return undefined
    try {
      return await snapshotOf(place, look)
    } catch (error) {
      if (!(error instanceof Compacted)) throw error
      if (start < STARTS_MAX) continue
      throw new EdgeError(
        'store-unavailable',
        `etcd at ${place.gateway.address} was compacted ${start} times while the state was read`,
        { hint: 'keep more of its history: `--auto-compaction-retention=1h`', cause: error },
      )
    }
  }
}

async function snapshotOf(place: LogPlace, { head, keys, base, revision }: Look): Promise<Snapshot> {
  if (base === undefined) throw damaged(place, head.position.id)
  const entries = await readState(place.gateway, keys, revision)
  let at: Pick<LogEntry, 'id' | 'hash'> = base
  while (at.id < head.position.id) {
    const records = await rangeAt(place.gateway, keys.batch(at.id + 1), keys.batchesEnd, {
      limit: PAGE_RECORDS,
      revision,
    })
    const page = await readBatches(place.gateway, records, at, { limit: Infinity, revision })
    if (page.length === 0) throw damaged(place, at.id + 1)
    for (const { operation, key, value } of page) {
      if (operation === 'SET') entries.set(key, value)
      else entries.delete(key)
    }
    at = page.at(-1)!
  }
  return { position: head.position, entries }
}

async function readState(gateway: Gateway, keys: Keys, revision: number): Promise<Map<string, string>> {
  const entries = new Map<string, string>()
  let from = keys.state
  let key: string | undefined
  let parts: Buffer[] = []
  const end = () => {
    if (key !== undefined) entries.set(key, Buffer.concat(parts).toString())
    parts = []
  }
  for (;;) {
    const page = await rangeAt(gateway, from, keys.stateEnd, { limit: PAGE_RECORDS, revision })
    for (const part of page) {
      const partKey = stateKeyOf(keys, part.key)
      if (partKey !== key) end()
      key = partKey
      parts.push(part.value)
    }
    if (page.length < PAGE_RECORDS) break
    // The first key that comes after the last one.
    from = `${page.at(-1)!.key}\0`
  }
  end()
  return entries
}

/** What puts these effects into the state, in groups for one transaction each. No key may come twice. */
export function stateGroups(keys: Keys, effects: Iterable<Effect>): readonly (readonly Operation[])[] {
  const groups: Operation[][] = []
  let operations = Infinity
  let bytes = 0
  const add = (one: Operation, oneBytes: number) => {
    if (operations >= OPERATIONS_MAX || bytes + oneBytes > REQUEST_BYTES_MAX) {
      groups.push([])
      operations = 0
      bytes = 0
    }
    groups.at(-1)!.push(one)
    operations += 1
    bytes += oneBytes
  }
  for (const effect of effects) {
    const parts = effect.operation === 'SET' ? partsOf(Buffer.from(effect.value), PART_BYTES) : []
    for (const [index, part] of parts.entries()) {
      const key = keys.statePart(effect.key, index)
      add(put(key, part), key.length + part.length)
    }
    // What the value before had more of.
    const rest = keys.statePart(effect.key, parts.length)
    const end = endOf(rest.slice(0, rest.lastIndexOf('/') + 1))
    add(remove(rest, end), rest.length + end.length)
  }
  return groups
}
