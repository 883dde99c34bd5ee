import { after } from 'node:test'
import type { EtcdStoreConfig } from '../../../config/store-schema.ts'
import { type Etcd, etcdIsMissing, startEtcd } from '../../../../test/harness/etcd.ts'
import { sharedLogContract } from '../../shared-log.contract.ts'
import { openEtcd } from './engine.ts'

const configOf = (etcd: Etcd, prefix: string): EtcdStoreConfig => ({
  kind: 'etcd',
  url: [...etcd.urls],
  prefix,
  timeout: 30_000,
  path: '',
  log: { keep: 10_000, keepForEdges: 100_000 },
})

/** Each test has a prefix of its own on the same members. */
let prefixes = 0

if (etcdIsMissing === false) {
  for (const members of [1, 3]) {
    const etcd = await startEtcd({ after }, { members })
    sharedLogContract({
      engine: members === 1 ? 'etcd' : `etcd, ${members} members`,
      racingAppends: members === 1 ? 1000 : 400,
      open: async () => {
        const config = configOf(etcd, `orla-${++prefixes}`)
        return () => openEtcd(config)
      },
    })
  }
}
