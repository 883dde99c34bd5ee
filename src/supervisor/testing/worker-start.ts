/** What a worker of a test's pool is told at its start. */
import * as v from 'valibot'
import type { SharedWords } from '../../base/shared-words.ts'
import { ConfigSchema } from '../../config/schema.ts'
import type { ListenSockets } from '../listen-sockets.ts'
import type { PoolOptions } from '../workers/worker-pool.ts'

/** No units, no TLS, no files. */
export const bareStart =
  (sockets: ListenSockets, shared: SharedWords): PoolOptions['startMessage'] =>
  (worker) => ({
    kind: 'start',
    identity: 'node',
    worker,
    config: v.parse(ConfigSchema, {}),
    addresses: sockets.addresses,
    tls: undefined,
    units: { epoch: 0, enabled: true, units: [], lastGood: {} },
    quarantined: [],
    shared: shared.path,
    bundles: { sandbox: '', guest: '' },
    kv: { kv: '', cache: '' },
    kvWords: '',
    limitWorker: 0,
    disk: { socket: '', folder: '' },
    purgeNumber: 0,
    isTracing: false,
    stdout: 1,
  })
