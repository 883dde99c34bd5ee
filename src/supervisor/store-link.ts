/**
 * How this node is tied to the store: whose log it reads and writes.
 *
 *     embedded     the log is its own file
 *     redis, etcd  a control plane: the log is the engine's, its file a replica that it keeps abreast
 *     replica      an edge: its file is a replica that it keeps abreast by its control plane
 */
import type { Clock } from '../base/clock.ts'
import type { StoreConfig } from '../config/schema.ts'
import type { SharedLog } from '../contract/shared-log.ts'
import { storeWriter, type StoreWriter } from '../replication/store-writer.ts'
import { embeddedLog } from '../store/engines/embedded.ts'
import type { SqliteStore } from '../store/sqlite-store.ts'

export interface StoreLink {
  readonly writer: StoreWriter
  readonly log: SharedLog
  close(): Promise<void>
}

export interface StoreLinkParts {
  readonly config: StoreConfig
  readonly store: SqliteStore
  readonly clock: Clock
}

export async function openStoreLink({ store, clock }: StoreLinkParts): Promise<StoreLink> {
  const log = embeddedLog(store)
  const writer = storeWriter({ store, log, clock, catchUp: () => Promise.resolve(), onAppended: () => {} })
  return { log, writer, close: () => Promise.resolve() }
}
