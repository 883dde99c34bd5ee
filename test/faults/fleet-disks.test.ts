import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { appendFile, chmod, cp, mkdir, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { DatabaseSync } from 'node:sqlite'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ConfigInput } from '../../src/config/schema.ts'
import { edgesOf } from '../harness/edges.ts'
import { eventually } from '../harness/eventually.ts'
import { type FleetNode, startFleet } from '../harness/fleet.ts'
import { rounds } from '../harness/rounds.ts'

/** Padded by a comment, which is kept with the source. */
const answering = (text: string, padding = 0) =>
  `/* ${'x'.repeat(padding)} */ export default { content: () => new Response(${JSON.stringify(text)}) }`

const deploy = ({ node }: FleetNode, text: string, padding = 0) =>
  node.deploy('one', answering(text, padding), { wait: 'stored', language: 'js' })

const PATIENCE = { withinMs: 60_000 }

async function runs(nodes: readonly FleetNode[], text: string): Promise<void> {
  for (const { node } of nodes)
    await eventually(async () => (await node.request('/')).text === text, { ...PATIENCE, what: node.stderr })
}

const hears = (node: { stderr(): string }, what: RegExp) =>
  eventually(() => what.test(node.stderr()), { ...PATIENCE, what: () => node.stderr() })

/** What a start says that does not come to serve. */
const refusal = async (node: FleetNode, more: ConfigInput = {}) => (await node.launch(more)).ended

/** Mounts a small disk on the data directory, where this may be done. */
const mountIsMissing: string | false =
  process.getuid?.() === 0 && spawnSync('mount', ['-t', 'tmpfs', 'tmpfs', '/mnt']).status === 0
    ? (spawnSync('umount', ['/mnt']), false)
    : 'only root may mount a small disk'

/** Made before all else in a test: it goes first, too. */
function smallDisk(t: TestContext) {
  let path: string | undefined
  t.after(() => path && spawnSync('umount', ['-l', path]))
  return {
    async under(node: FleetNode): Promise<void> {
      const aside = `${node.data}.aside`
      await cp(node.data, aside, { recursive: true })
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'tmpfs', node.data])
      path = node.data
      await cp(aside, node.data, { recursive: true })
      await rm(aside, { recursive: true })
    },
    grow: () => void execFileSync('mount', ['-o', 'remount,size=64m', path!]),
  }
}

test(
  'an edge whose disk is full serves on, says so, and catches up when there is space',
  { skip: mountIsMissing },
  async (t) => {
    const disk = smallDisk(t)
    const fleet = await startFleet(t, { edges: ['a'] })
    const a = fleet.edge('a')
    await deploy(fleet.control, 'first')
    await runs(fleet.nodes, 'first')
    await a.stop()
    await disk.under(a)
    await a.start()
    const ballast = join(a.data, 'ballast')
    await writeFile(ballast, '')
    await appendFile(ballast, Buffer.alloc(16e6)).catch(() => undefined)
    for (const n of [1, 2, 3]) await deploy(fleet.control, `full-${n}`, 300_000)
    await hears(a.node, /the control plane is not followed: .*(?:disk is full|disk of the store is full)/)
    assert.equal((await a.node.request('/')).text, 'first')
    await rm(ballast)
    await runs(fleet.nodes, 'full-3')
    await hears(a.node, /is followed again/)
  },
)

test(
  'a control plane whose disk is full refuses changes, and has all that it acknowledged',
  { skip: mountIsMissing },
  async (t) => {
    const disk = smallDisk(t)
    const fleet = await startFleet(t, { edges: ['a'] })
    const { control } = fleet
    await deploy(control, 'first')
    await control.stop()
    await disk.under(control)
    await control.start()
    let last = 'first'
    let refused = ''
    for (let n = 1; refused === ''; n++) {
      const source = answering(`n-${n}`, 700_000)
      const { status, text } = await control.node.api('PUT', '/v1/units/one', {
        source,
        language: 'js',
        wait: 'stored',
      })
      if (status === 200) last = `n-${n}`
      else refused = `${status} ${text}`
    }
    assert.match(refused, /^507 .*store-full.*free some space/)
    await runs(fleet.nodes, last)
    await control.kill()
    // A start needs a little space, too.
    const starting = await control.launch()
    await hears(starting, /disk is full; free some space; what was acknowledged is safe/)
    await starting.kill()
    disk.grow()
    await control.start()
    await runs(fleet.nodes, last)
    await deploy(control, 'again')
    await runs(fleet.nodes, 'again')
  },
)

test('an edge whose orla.db was torn says what to do; without the file it joins anew', async (t) => {
  const fleet = await startFleet(t, { edges: ['a'] })
  const a = fleet.edge('a')
  await deploy(fleet.control, 'first', 100_000)
  await runs(fleet.nodes, 'first')
  await a.stop()
  const path = join(a.data, 'orla.db')
  const { size } = await stat(path)
  await truncate(path, size - 2000)
  const said = await refusal(a)
  assert.match(said, /orla\.db was cut: it has \d+ of \d+ bytes/)
  assert.match(said, /remove|move it away/)
  await rm(path)
  await a.start()
  await runs(fleet.nodes, 'first')
})

test('an edge whose orla.db is deleted serves on, says so, and joins anew when it is started', async (t) => {
  const fleet = await startFleet(t, { edges: ['a'] })
  const a = fleet.edge('a')
  await deploy(fleet.control, 'first')
  await runs(fleet.nodes, 'first')
  for (const end of ['', '-wal', '-shm']) await rm(join(a.data, `orla.db${end}`), { force: true })
  for (const text of ['second', 'third']) await deploy(fleet.control, text)
  await hears(a.node, /not followed: .*orla\.db was removed/)
  assert.match((await a.node.request('/')).text, /first/)
  await a.kill()
  await a.start()
  await runs(fleet.nodes, 'third')
})

test('an edge that is killed while it joins begins anew, and has the whole in the end', async (t) => {
  const fleet = await startFleet(t, { edges: ['a'] })
  const { control } = fleet
  const a = fleet.edge('a')
  for (let n = 0; n < 12; n++)
    await control.node.deploy(`unit-${n}`, answering('x', 500_000), {
      wait: 'stored',
      language: 'js',
      manifest: { paths: ['/none'] },
    })
  await deploy(control, 'first')
  for (const _ of rounds(5, 2, 10_000)) {
    await a.kill()
    await rm(a.data, { recursive: true })
    const starting = await a.launch()
    await hears(starting, /joining /)
    await sleep(randomInt(300))
    await starting.kill()
    await a.start()
    await runs([a], 'first')
  }
  await runs(fleet.nodes, 'first')
  assert.equal((await a.status()).position.hash, (await control.status()).position.hash)
})

test('two edges on one data directory, two of one name, and one of a newer version are told so', async (t) => {
  const fleet = await startFleet(t, { edges: ['a', 'b'] })
  const [a, b] = [fleet.edge('a'), fleet.edge('b')]
  await deploy(fleet.control, 'first')
  await runs(fleet.nodes, 'first')

  await b.stop()
  assert.match(
    await refusal(b, { store: { path: a.data } as ConfigInput['store'] }),
    /is used by process \d+/,
  )

  const second = await b.launch({ store: { path: b.data } as ConfigInput['store'], node: { name: 'a' } })
  await hears(second, /another edge called a is connected, from another data directory.*node\.name/)
  await second.kill()
  assert.deepEqual(
    (await edgesOf(fleet.control.node)).slice(1).map(({ name, presence }) => [name, presence]),
    [
      ['a', 'connected'],
      ['b', 'stopped'],
    ],
  )

  const db = new DatabaseSync(join(b.data, 'orla.db'))
  db.exec('PRAGMA user_version = 99')
  db.close()
  assert.match(
    await refusal(b),
    /has format 99; this program knows up to \d+.*\n.*use that version, or another directory/s,
  )
})

test('an edge that may not write its data directory says so', async (t) => {
  const fleet = await startFleet(t, { edges: ['a'] })
  const a = fleet.edge('a')
  await a.stop()
  await mkdir(`${a.data}.new`)
  await rm(a.data, { recursive: true })
  await writeFile(a.data, 'a file in its place')
  await chmod(a.data, 0o400)
  assert.match(await refusal(a), /cannot be (?:made|written)/)
})
