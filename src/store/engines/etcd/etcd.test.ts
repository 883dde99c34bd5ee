import { after } from 'node:test'
import { etcdConfig, etcdIsMissing, startEtcd } from '../../../../test/harness/etcd.ts'
import { sharedLogContract } from '../../shared-log.contract.ts'
import { openEtcd } from './engine.ts'

/** Each test has a prefix of its own on the same members. */
let prefixes = 0

if (etcdIsMissing === false) {
  for (const members of [1, 3]) {
    const etcd = await startEtcd({ after }, { members })
    sharedLogContract({
      engine: members === 1 ? 'etcd' : `etcd, ${members} members`,
      racingAppends: members === 1 ? 1000 : 400,
      open: async () => {
        const config = etcdConfig(etcd.urls, { prefix: `orla-${++prefixes}`, timeout: 30_000 })
        return () => openEtcd(config)
      },
    })
  }
}
