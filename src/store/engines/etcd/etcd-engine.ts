/** etcd as the engine of the store: ordered by Raft, on the disk of a majority when an append returns. */
import { readTlsFiles } from '../../../base/tls-files.ts'
import type { EtcdStoreConfig } from '../../../config/store-schema.ts'
import type { StoreEngine } from '../../../contract/shared-log.ts'
import { etcdGateway } from './gateway.ts'
import { EtcdLog } from './log.ts'
import { etcdStatus } from './status.ts'
import { watchHeads } from './head-watch.ts'

export interface EtcdEngineOptions {
  /** From 0 up to 1: spreads what many would do at one moment. */
  readonly random?: () => number
  /** How often the heads are looked at beside the watch, about, in milliseconds. */
  readonly pollMs?: number
}

const POLL_MS = 5000

/** Connects when it is first asked. Throws `file-unreadable` where a file of `tls` cannot be read. */
export function openEtcdEngine(
  config: EtcdStoreConfig,
  { random = Math.random, pollMs = POLL_MS }: EtcdEngineOptions = {},
): StoreEngine {
  const { prefix } = config
  const gateway = etcdGateway({
    urls: config.url,
    username: config.username,
    password: config.password,
    tls: readTlsFiles('store.tls', config.tls ?? {}),
    timeoutMs: config.timeout,
    random,
  })
  const watch = watchHeads({ gateway, prefix, pollMs, random })
  const logs = new Map<string, EtcdLog>()
  return {
    kind: 'etcd',
    address: gateway.address,
    log(name) {
      const log = logs.get(name) ?? new EtcdLog({ gateway, prefix, name }, watch)
      logs.set(name, log)
      return log
    },
    status: () => etcdStatus(gateway, prefix),
    async close() {
      watch.close()
      gateway.close()
    },
  }
}
