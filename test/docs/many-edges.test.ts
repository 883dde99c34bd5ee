/** The guide to many edges, from one node to three edges on Redis Cluster and on etcd, as the page shows it. */
import { dirname, delimiter } from 'node:path'
import { test } from 'node:test'
import { ORLA } from '../harness/command.ts'
import { etcdIsMissing } from '../harness/etcd.ts'
import { freePort } from '../harness/ports.ts'
import { redisIsMissing } from '../harness/redis.ts'
import { inPlace } from './console.ts'
import { folderFor, followPage, startBehind } from './sessions.ts'

const PORTS = ['8080', '8081', '9000', '8091', '8092', '8093', '8191', '8192', '8193']
const ETCD = ['2379', '2380', '2479', '2480', '2579', '2580']
const REDIS = ['7001', '7002', '7003', '7004', '7005', '7006']
/** A member of a Redis Cluster also listens at a port so much above its own. */
const BUS = 10_000

test(
  'one node becomes a control plane with three edges, on Redis Cluster and on etcd',
  {
    skip: redisIsMissing || etcdIsMissing,
  },
  async (t) => {
    const cwd = await folderFor(t)
    const places = new Map<string, string>()
    for (const port of [...PORTS, ...ETCD]) places.set(port, String(await freePort()))
    for (const port of REDIS) places.set(port, String(await freePortBelow(65_536 - BUS)))
    const path = [dirname(ORLA), dirname(process.execPath), process.env['PATH']].join(delimiter)
    const control = inPlace('http://127.0.0.1:8081', { cwd, env: {}, places })
    const session = { cwd, env: { PATH: path, ORLA_CONTROL: control, ORLA_TOKEN: 'change-me' }, places }
    await followPage('docs/guides/many-edges.md', session, (block) => startBehind(t, block, session))
  },
)

async function freePortBelow(limit: number): Promise<number> {
  for (;;) {
    const port = await freePort()
    if (port < limit) return port
  }
}
