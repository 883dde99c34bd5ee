/** The log goes to another engine, and edges go on. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { ConfigInput } from '../../src/config/schema.ts'
import type { StoreStatus } from '../../src/control/store-shapes.ts'
import { orla } from '../harness/command.ts'
import { edgesOf, startEdge } from '../harness/edges.ts'
import { etcdIsMissing, startEtcd } from '../harness/etcd.ts'
import { eventually } from '../harness/eventually.ts'
import { freePort } from '../harness/ports.ts'
import { startNode, type TestNode } from '../harness/node.ts'
import { redisIsMissing, startRedis } from '../harness/redis.ts'

const hello = (text: string) => `export default { content: () => new Response(${JSON.stringify(text)}) }`

const statusOf = async (node: TestNode) =>
  JSON.parse((await node.api('GET', '/v1/store')).text) as StoreStatus

interface Engine {
  readonly spec: string
  readonly store: NonNullable<ConfigInput['store']>
  /** In what `orla store status` says. */
  readonly shown: RegExp
}

const ENGINES = [
  {
    name: 'Redis',
    skip: redisIsMissing,
    async start(t: TestContext): Promise<Engine> {
      const { url } = await startRedis(t, { appendOnly: true })
      return {
        spec: url,
        store: { kind: 'redis', url },
        shown: /^store +redis at redis:.*[^]*^MEMBER[^]* master +well/m,
      }
    },
  },
  {
    name: 'etcd',
    skip: etcdIsMissing,
    async start(t: TestContext): Promise<Engine> {
      const { urls } = await startEtcd(t)
      const url = [...urls]
      return {
        spec: url.map((one) => `etcd+${one}`).join(','),
        store: { kind: 'etcd', url },
        shown: /^store +etcd at [^]*^term +\d+[^]*^MEMBER[^]* leader +well/m,
      }
    },
  },
] as const

for (const { name, skip, start } of ENGINES) {
  test(`the store goes to ${name} and back, and its edges go on without a snapshot`, { skip }, async (t) => {
    const engine = await start(t)
    const port = await freePort()
    const listen = `127.0.0.1:${port}`
    const begin = (folder: string | undefined, store: ConfigInput['store'], units = {}) =>
      startNode(t, {
        config: { control: { listen }, store: store! },
        ...(folder !== undefined && { folder }),
        units,
      })
    const embedded = await begin(undefined, {}, { one: hello('first') })
    const { folder } = embedded
    const edge = await startEdge(t, embedded, 'a')
    const { base } = await statusOf(edge)
    await embedded.deploy('one', hello('second'))
    const before = (await statusOf(embedded)).position
    await embedded.stop()

    const there = await orla(['store', 'migrate', '--from', 'data', '--to', engine.spec], { cwd: folder })
    assert.equal(there.code, 0, there.stderr)
    assert.match(there.stdout, new RegExp(`^units: position ${before.id} with \\d+ keys is at `))
    const onEngine = await begin(folder, engine.store)
    await eventually(async () =>
      (await edgesOf(onEngine)).some(({ name: who, presence }) => who === 'a' && presence === 'connected'),
    )
    await onEngine.deploy('one', hello('third'))
    await eventually(async () => (await edge.request('/')).text === 'third')
    assert.deepEqual((await statusOf(edge)).base, base)
    const shown = await onEngine.orla('store', 'status')
    assert.match(shown.stdout, engine.shown, shown.stdout)
    await onEngine.stop()

    const again = await orla(['store', 'migrate', '--from', 'data', '--to', engine.spec], { cwd: folder })
    assert.match(again.stdout, /, 0 entries copied;/, again.stderr)
    const back = await orla(['store', 'migrate', '--from', engine.spec, '--to', 'other'], { cwd: folder })
    assert.equal(back.code, 0, back.stderr)
    const home = await begin(folder, { path: './other' })
    await eventually(async () =>
      (await edgesOf(home)).some(({ name: who, presence }) => who === 'a' && presence === 'connected'),
    )
    await home.deploy('one', hello('fourth'))
    await eventually(async () => (await edge.request('/')).text === 'fourth')
    assert.deepEqual((await statusOf(edge)).base, base)
  })
}
