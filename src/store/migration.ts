/**
 * Copies a log to another engine: its name, its entries as far as they are kept, its position and its state. Whoever follows it by the name
 * and the hash of where it stands goes on there, and takes no snapshot.
 *
 * A copy that was cut goes on where it was. What is written to the source meanwhile is copied, too; it ends when both are the same.
 */
import { createHash } from 'node:crypto'
import { EdgeError } from '../base/errors.ts'
import type { SharedLog } from '../contract/shared-log.ts'
import { samePosition, type LocalStore, type Position, type Snapshot } from '../contract/store.ts'
import { GENESIS } from './chain.ts'
import { embeddedLog } from './engines/embedded.ts'

export interface MovedLog {
  readonly log: SharedLog
  /** How it is called in messages. */
  readonly address: string
  /** The state before the first entry that is kept; undefined where that cannot be told. */
  readonly start?: () => Snapshot
}

export interface Migration {
  readonly position: Position
  /** Those that were copied one by one; what was before them went over as state. */
  readonly entries: number
  readonly keys: number
  /** SHA-256 of the state, in hex: the same on both. */
  readonly stateHash: string
}

export interface MigrationOptions {
  /** The target may hold another log, which goes. */
  readonly force: boolean
  readonly onProgress: (id: number, of: number) => void
}

/** Entries that are copied at once. */
const AT_ONCE = 500
/** Where somebody writes without end, the copy does not become one. */
const ROUNDS_MAX = 20

/** The log of a data directory. */
export const movedStore = (store: LocalStore, address: string): MovedLog => ({
  log: embeddedLog(store),
  address,
  start() {
    const past = store.at(store.base().id)
    return { position: past.position(), entries: new Map(past.list('')) }
  },
})

/** Throws `store-foreign` where the target holds another log, and `store-conflict` where somebody writes to it. */
export async function migrateLog(
  from: MovedLog,
  to: MovedLog,
  options: MigrationOptions,
): Promise<Migration> {
  let at = await begin(from, to, options)
  let entries = 0
  for (let round = 1; round <= ROUNDS_MAX; round++) {
    const head = await from.log.head()
    for (;;) {
      const next = await from.log.read(at, AT_ONCE)
      if (next === 'reset') throw changed(from, `it does not go on from ${at.id} any more`)
      const last = next.at(-1)
      if (last === undefined) break
      if ((await to.log.append(at, next)) === 'conflict') throw changed(to, 'somebody else writes to it')
      at = { log: at.log, id: last.id, hash: last.hash }
      entries += next.length
      options.onProgress(at.id, Math.max(head.id, at.id))
    }
    const [mine, its] = [await from.log.snapshot(), await to.log.snapshot()]
    if (!samePosition(its.position, at)) throw changed(to, 'somebody else writes to it')
    // Something was appended between the two: once more.
    if (!samePosition(mine.position, at)) continue
    const stateHash = hashOf(mine)
    if (hashOf(its) !== stateHash)
      throw new EdgeError(
        'store-diverged',
        `${to.address} has another state than ${from.address} at ${at.id}`,
      )
    return { position: at, entries, keys: mine.entries.size, stateHash }
  }
  throw changed(from, 'it is written to faster than it is copied')
}

/** Where the copy goes on: in the target, which holds the beginning of the log by then. */
async function begin(from: MovedLog, to: MovedLog, { force }: MigrationOptions): Promise<Position> {
  const [source, target] = [await from.log.head(), await to.log.head()]
  if (target.log === source.log && (await from.log.read(target, 1)) !== 'reset') return target
  if (target.id > 0 && !force) {
    throw new EdgeError('store-foreign', `${to.address} holds another log, up to entry ${target.id}`, {
      hint: 'give an empty one, or let this one take its place with --force',
    })
  }
  const start = await startOf(from, source)
  if ((await to.log.replace(target, start)) === 'conflict') throw changed(to, 'somebody else writes to it')
  return start.position
}

async function startOf({ log, start }: MovedLog, head: Position): Promise<Snapshot> {
  if (start) return start()
  const beginning = { log: head.log, id: 0, hash: GENESIS }
  // An engine does not tell what stood before the first entry that it keeps: where it let go of some, its state of now goes over.
  if ((await log.read(beginning, 1)) !== 'reset') return { position: beginning, entries: new Map() }
  return log.snapshot()
}

const changed = ({ address }: MovedLog, why: string): EdgeError =>
  new EdgeError('store-conflict', `${address}: ${why}`, {
    hint: 'stop the control plane that uses it, and start the copy again: it goes on where it was',
  })

/** Of all keys in order, so that it does not matter in which an engine lists them. */
function hashOf({ entries }: Snapshot): string {
  const hash = createHash('sha256')
  const keys = [...entries.keys()].toSorted()
  for (const key of keys) hash.update(JSON.stringify([key, entries.get(key)]))
  return hash.digest('hex')
}
