/**
 * The way of every change into the store: behind the position at which it was planned, by the engine that keeps the log, and from there
 * into the replica of this node, which everything here is read from.
 */
import { randomBytes } from 'node:crypto'
import type { Clock } from '../base/clock.ts'
import { EdgeError } from '../base/errors.ts'
import type { SharedLog } from '../contract/shared-log.ts'
import type { Effect, Position } from '../contract/store.ts'
import { chain } from '../store/chain.ts'
import type { ChangeValue } from '../store/rewrite.ts'
import type { SqliteStore } from '../store/sqlite-store.ts'

export interface StoreWriter {
  /**
   * Appends all effects or none, behind `plannedAt`. Resolves when they are as durable as the engine makes them, and can be read here. Throws
   * `store-conflict` where something else came first, which can be read here then, too.
   */
  append(effects: readonly Effect[], plannedAt: Position): Promise<Position>
  /** Reads what others wrote. Throws where the engine does not answer. */
  newest(): Promise<void>
  /** Changes values that were set to keys with one of the prefixes, in history, too: see `store/rewrite.ts`. */
  rewrite(prefixes: readonly string[], change: ChangeValue): Promise<void>
}

export interface WriterParts {
  readonly store: SqliteStore
  readonly log: SharedLog
  readonly clock: Clock
  /** Reads what others wrote into the replica of this node. */
  readonly catchUp: () => Promise<void>
  /** What was appended by this writer can be read here. */
  readonly onAppended: () => void
  /** Where the log is kept, if not in this file. */
  readonly keeper?: string
  readonly random?: () => number
}

/**
 * Two that write the same at one position in one millisecond would make the same entries, and an engine would take the second for the first one
 * asking again: both were told that theirs is there. So an append has a moment of chance within its millisecond, and no two of one writer have the
 * same; a double has room for so many.
 */
const MOMENTS = 4096
/** Where somebody else always comes first, something is wrong. */
const ATTEMPTS_MAX = 8

export function storeWriter(parts: WriterParts): StoreWriter {
  const { store, log, clock, catchUp, onAppended, keeper, random = Math.random } = parts
  let lastMoment = 0
  const moment = (): number => {
    const chosen = clock.now() + Math.floor(random() * MOMENTS) / MOMENTS
    lastMoment = Math.floor(chosen) === Math.floor(lastMoment) ? lastMoment + 1 / MOMENTS : chosen
    return lastMoment
  }
  return {
    async append(effects, plannedAt) {
      if (effects.length === 0) return store.position()
      const entries = chain(plannedAt, effects, moment())
      const last = entries.at(-1)!
      if ((await log.append(plannedAt, entries)) === 'conflict') {
        await catchUp()
        throw new EdgeError('store-conflict', `the log went on from ${plannedAt.id} before this change came`)
      }
      // The embedded log is the store itself; and who follows an engine may have read some of them already.
      store.apply(entries.filter(({ id }) => id > store.position().id))
      onAppended()
      return { log: plannedAt.log, id: last.id, hash: last.hash }
    },
    newest: catchUp,
    async rewrite(prefixes, change) {
      if (keeper === undefined) store.rewrite(prefixes, change)
      else await rewriteShared(parts, prefixes, change)
      // The new key of secrets counts once this has resolved: an edge that is told before would be given the one before with it.
      setImmediate(onAppended)
    },
  }
}

/** An engine gets the state anew under another name, and with no history: whoever follows the log takes a snapshot. */
async function rewriteShared(
  { store, log, catchUp }: WriterParts,
  prefixes: readonly string[],
  change: ChangeValue,
): Promise<void> {
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
    await catchUp()
    const { position, entries } = store.snapshot()
    const next = new Map(
      [...entries].map(([key, value]) => [
        key,
        prefixes.some((prefix) => key.startsWith(prefix)) ? change(key, value, true) : value,
      ]),
    )
    const renamed = { ...position, log: randomBytes(12).toString('hex') }
    if ((await log.replace(position, { position: renamed, entries: next })) === 'conflict') continue
    // As everybody else does: by then others may have gone on from it.
    return catchUp()
  }
  throw new EdgeError('store-conflict', 'others change the store all the time: it could not be written anew')
}

/** Changes history in the file itself. */
export const fileRewriter = (store: SqliteStore): Pick<StoreWriter, 'newest' | 'rewrite'> => ({
  newest: () => Promise.resolve(),
  rewrite: async (prefixes, change) => store.rewrite(prefixes, change),
})

/** Of a node that follows a control plane: changes are made there. */
export function refusingWriter(control: string): StoreWriter {
  const refuse = () =>
    Promise.reject(
      new EdgeError('not-control-plane', `this edge follows ${control}, and changes nothing by itself`, {
        hint: `send the change there: --control ${control}`,
      }),
    )
  return { append: refuse, newest: refuse, rewrite: refuse }
}

/** Plans and appends until nothing comes in between. `plan` reads the store as it is then. */
export async function appendPlanned(
  store: Pick<SqliteStore, 'position'>,
  writer: StoreWriter,
  plan: () => readonly Effect[],
): Promise<Position> {
  for (let attempt = 1; ; attempt++) {
    const at = store.position()
    try {
      return await writer.append(plan(), at)
    } catch (error) {
      if (attempt === ATTEMPTS_MAX || !isConflict(error)) throw error
    }
  }
}

export const isConflict = (error: unknown): boolean =>
  error instanceof EdgeError && error.code === 'store-conflict'
