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
const PART_BYTES = 32 * 1024
/** Parts of one look: etcd goes over all that come after them, too, so there are more of them where they turn out to be small. */
const PAGE_PARTS = 256
const PAGE_PARTS_MAX = 2048
const PAGE_BYTES_SMALL = 1024 * 1024
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
  for (let limit = PAGE_PARTS; ;) {
    const page = await rangeAt(gateway, from, keys.stateEnd, { limit, revision })
    let bytes = 0
    for (const part of page) {
      const partKey = stateKeyOf(keys, part.key)
      if (partKey !== key) end()
      key = partKey
      parts.push(part.value)
      bytes += part.value.length
    }
    if (page.length < limit) break
    limit = bytes < PAGE_BYTES_SMALL ? Math.min(limit * 2, PAGE_PARTS_MAX) : PAGE_PARTS
    // The first key that comes after the last one.
    from = `${page.at(-1)!.key}\0`
  }
  end()
  return entries
}

export const isOfParts = (effect: Effect): boolean =>
  effect.operation === 'SET' && Buffer.byteLength(effect.value) > PART_BYTES

/**
 * What puts these effects into the state, in groups for one transaction each, in no order that matters. No key may come twice. `hasParts`:
 * whether values that were there may have more parts than what takes their place.
 */
export function stateGroups(
  keys: Keys,
  effects: Iterable<Effect>,
  hasParts: boolean,
): readonly (readonly Operation[])[] {
  const groups: Operation[][] = []
  let bytes = Infinity
  const add = (one: Operation, oneBytes: number) => {
    if (bytes + oneBytes > REQUEST_BYTES_MAX || groups.at(-1)!.length >= OPERATIONS_MAX) {
      groups.push([])
      bytes = 0
    }
    groups.at(-1)!.push(one)
    bytes += oneBytes
  }
  for (const effect of effects) {
    const parts = effect.operation === 'SET' ? partsOf(Buffer.from(effect.value), PART_BYTES) : []
    for (const [index, part] of parts.entries()) {
      const key = keys.statePart(effect.key, index)
      add(put(key, part), key.length + part.length)
    }
    if (parts.length > 0 && !hasParts) continue
    const rest = keys.statePart(effect.key, parts.length)
    const end = endOf(rest.slice(0, rest.lastIndexOf('/') + 1))
    add(remove(rest, end), rest.length + end.length)
  }
  return groups
}

/** Groups that are done at one moment: etcd orders and stores them together. */
const GROUPS_AT_ONCE = 4

/** False, with the rest left out, as soon as `apply` says so. */
export async function applyGroups(
  groups: readonly (readonly Operation[])[],
  apply: (group: readonly Operation[]) => Promise<boolean>,
): Promise<boolean> {
  for (let at = 0; at < groups.length; at += GROUPS_AT_ONCE) {
    const done = await Promise.all(groups.slice(at, at + GROUPS_AT_ONCE).map(apply))
    if (done.includes(false)) return false
  }
  return true
}
