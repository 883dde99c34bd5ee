/**
 * The ends by which key/value data of this node goes to others and comes from them, whichever file is open behind them: it is another one after a
 * program that was to take over did not.
 */
import { EdgeError } from '../base/errors.ts'
import type {
  KvFeed,
  KvIntake,
  KvSnapshotPart,
  KvUplink,
  KvUplinkAnswer,
  KvUplinkBatch,
} from '../contract/kv-replication.ts'
import type { LogEntry, Position } from '../contract/store.ts'
import type { KvKeeper } from '../kv/keeper.ts'

type Listener = Parameters<KvFeed['onAppended']>[0]

export class KvPorts {
  readonly #keeper: () => KvKeeper
  readonly #listeners = new Set<Listener>()

  /** `keeper` throws where there is none. */
  constructor(keeper: () => KvKeeper) {
    this.#keeper = keeper
  }

  /** Of this keeper, those are told who listen. */
  attach({ feed }: KvKeeper): void {
    feed?.onAppended((bucket, entries) => {
      for (const listener of this.#listeners) listener(bucket, entries)
    })
  }

  /** Why changes do not get to whoever orders them; undefined: they do. */
  get problem(): string | undefined {
    return this.#keeper().problem
  }

  /** For edges. */
  readonly uplink: KvUplink = {
    send: async (batch: KvUplinkBatch, from?: string): Promise<readonly KvUplinkAnswer[]> =>
      present(this.#keeper().uplink).send(batch, from),
  }

  readonly feed: KvFeed = {
    positions: (): readonly Position[] => present(this.#keeper().feed).positions(),
    position: (bucket: number) => present(this.#keeper().feed).position(bucket),
    entriesAfter: (bucket: number, position: Position, limit: number) =>
      present(this.#keeper().feed).entriesAfter(bucket, position, limit),
    snapshot: (bucket: number) => present(this.#keeper().feed).snapshot(bucket),
    onAppended: (listener: Listener) => {
      this.#listeners.add(listener)
      return () => void this.#listeners.delete(listener)
    },
  }

  /** Of an edge. */
  readonly intake: KvIntake = {
    positions: () => present(this.#keeper().intake).positions(),
    applyEntries: (bucket: number, entries: readonly LogEntry[]) =>
      present(this.#keeper().intake).applyEntries(bucket, entries),
    load: (bucket: number, part: KvSnapshotPart) => present(this.#keeper().intake).load(bucket, part),
  }
}

function present<T>(end: T | undefined): T {
  if (end !== undefined) return end
  throw new EdgeError('kv-unavailable', 'this node does not have that end of key/value data')
}
