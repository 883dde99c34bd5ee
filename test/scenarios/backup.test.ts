/** A backup of a node that is written to, and what is restored from it. */
import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { orla } from '../harness/command.ts'
import { startNode, type TestNode } from '../harness/node.ts'

const STORE = `
export default {
  paths: ['/kv/*'],
  limits: { cpuMs: 500 },
  async content(request, edge) {
    const key = request.path.slice(4)
    if (request.method === 'PUT') await edge.kv.put(key, await request.text())
    return new Response((await edge.kv.get(key)) ?? 'none')
  },
}`
const hello = (n: number) =>
  `export default { paths: ['/hello'], limits: { cpuMs: 500 }, content: () => new Response('hello ${n}') }`

async function folderOf(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'orla-backup-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  return folder
}

const put = (node: TestNode, key: string, body: string) => node.request(`/kv/${key}`, { method: 'PUT', body })

test('a backup of a node under writes restores to a node with its units and values', async (t) => {
  const folder = await folderOf(t)
  const node = await startNode(t, { units: { store: STORE, hello: hello(0) } })
  const data = join(node.folder, 'data')
  await put(node, 'fixed', 'kept')
  let isDone = false
  let written = 0
  const writes = async () => {
    for (; !isDone; written++) await put(node, `n${written}`, `v${written}`)
  }
  const deploys = async () => {
    for (let n = 1; !isDone; n++) await node.deploy('hello', hello(n))
  }
  const load = Promise.all([writes(), deploys()])
  const before = written
  const files = []
  for (let n = 0; n < 4; n++) {
    const file = join(folder, `${n}.tar`)
    const { code, stdout, stderr } = await orla(['backup', file, '--folder', data, '--json'])
    assert.equal(code, 0, stderr)
    assert.equal(JSON.parse(stdout).withKeys, false)
    assert.equal((await stat(file)).mode & 0o777, 0o600)
    files.push(file)
  }
  isDone = true
  await load
  assert.ok(written > before, 'it was written to meanwhile')
  assert.deepEqual((await readdir(folder)).toSorted(), ['0.tar', '1.tar', '2.tar', '3.tar'])

  await mkdir(join(folder, 'node'))
  const restored = await orla(['restore', files[3]!, '--to', join(folder, 'node', 'data')])
  assert.equal(restored.code, 0, restored.stderr)
  assert.match(restored.stderr, /no keys were in it/)
  assert.deepEqual(await readdir(join(folder, 'node', 'data')), ['kv.db', 'orla.db'])
  const again = await startNode(t, { folder: join(folder, 'node') })
  assert.match((await again.request('/hello')).text, /^hello \d+$/)
  assert.equal((await again.request('/kv/fixed')).text, 'kept')
  assert.equal((await again.request('/kv/n0')).text, 'v0')
  const audit = JSON.parse((await again.orla('audit', '--verify', '--json')).stdout)
  assert.equal(audit.ok, true)
  await again.deploy('hello', hello(-1))
  assert.equal((await again.request('/hello')).text, 'hello -1')

  const busy = await orla(['restore', files[0]!, '--to', data])
  assert.equal(busy.code, 1)
  assert.match(busy.stderr, /is used by process/)
})

test('a stopped node is backed up with its keys where that is asked for', async (t) => {
  const folder = await folderOf(t)
  const node = await startNode(t, { units: { hello: hello(1) } })
  const data = join(node.folder, 'data')
  await node.deploy(
    'secret',
    `export default { paths: ['/s'], content: (_, edge) => new Response(edge.env.S) }`,
    {
      env: { S: 'hidden' },
    },
  )
  node.kill('SIGTERM')
  await node.ended
  await writeFile(join(data, 'orla.key'), 'the key\n', { mode: 0o600 })
  await mkdir(join(data, 'acme', 'example.org'), { recursive: true })
  await writeFile(join(data, 'acme', 'example.org', 'key.pem'), 'PEM')
  const plain = await orla(['backup', 'plain.tar', '--folder', data], { cwd: folder })
  assert.equal(plain.code, 0, plain.stderr)
  assert.match(plain.stderr, /keys are not in it/)
  assert.ok(!(await readFile(join(folder, 'plain.tar'))).includes('the key'))
  const full = await orla(['backup', 'full.tar', '--with-keys', '--folder', data], { cwd: folder })
  assert.equal(full.code, 0, full.stderr)
  assert.match(full.stderr, /it holds keys/)
  await mkdir(join(folder, 'empty'))
  const restored = await orla(['restore', 'full.tar', '--to', 'empty'], { cwd: folder })
  assert.equal(restored.code, 0, restored.stderr)
  assert.equal(await readFile(join(folder, 'empty', 'orla.key'), 'utf8'), 'the key\n')
  assert.equal(await readFile(join(folder, 'empty', 'acme', 'example.org', 'key.pem'), 'utf8'), 'PEM')
  assert.equal((await stat(join(folder, 'empty', 'orla.key'))).mode & 0o777, 0o600)

  const again = await orla(['restore', 'full.tar', '--to', 'empty'], { cwd: folder })
  assert.equal(again.code, 1)
  assert.match(again.stderr, /folder-not-empty|holds/)
})

test('what is damaged, cut or no backup is refused, and leaves nothing behind', async (t) => {
  const folder = await folderOf(t)
  const node = await startNode(t, { units: { hello: hello(1) } })
  const data = join(node.folder, 'data')
  const file = join(folder, 'good.tar')
  assert.equal((await orla(['backup', file, '--folder', data])).code, 0)
  const good = await readFile(file)
  const flipped = (at: number) => {
    const bytes = Buffer.from(good)
    bytes[at]! ^= 1
    return bytes
  }
  const cases: readonly (readonly [string, Buffer, RegExp])[] = [
    ['a bit of the header', flipped(3), /no backup of orla/],
    ['a bit of the manifest', flipped(600), /manifest/],
    [
      'a bit of the store',
      flipped(good.indexOf('SQLite format 3') + 5000),
      /orla\.db does not have the hash/,
    ],
    ['cut in the middle', good.subarray(0, good.length >> 1), /was cut/],
    ['cut at the end', good.subarray(0, good.length - 1), /was cut/],
    ['nothing', Buffer.alloc(0), /no backup of orla/],
    ['another file', Buffer.from('hello '.repeat(1000)), /no backup of orla/],
  ]
  for (const [what, bytes, message] of cases) {
    await writeFile(join(folder, 'bad.tar'), bytes)
    const { code, stderr } = await orla(['restore', 'bad.tar', '--to', 'made'], { cwd: folder })
    assert.equal(code, 1, what)
    assert.match(stderr, message, what)
    assert.deepEqual((await readdir(folder)).toSorted(), ['bad.tar', 'good.tar'], what)
  }
  const over = await orla(['backup', join(data, 'orla.db'), '--folder', data])
  assert.equal(over.code, 1)
  assert.match(over.stderr, /is no backup/)
  const none = await orla(['backup', 'x.tar', '--folder', 'missing'], { cwd: folder })
  assert.equal(none.code, 1)
  assert.match(none.stderr, /no orla\.db/)
  assert.equal((await orla(['restore', 'good.tar'], { cwd: folder })).code, 64)
})
