/** The file of key/value data goes away under a running node. */
import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { eventually } from '../harness/eventually.ts'
import { startNode } from '../harness/node.ts'

test('a key/value file that was removed is told of, and nothing is acknowledged that would be lost', async (t) => {
  const node = await startNode(t)
  const put = () => node.orla('kv', 'put', 'a', 'key', 'value')
  assert.equal((await put()).code, 0)
  await rm(join(node.folder, 'data', 'kv.db'))
  // Without a write, too.
  await eventually(() => /edge\.kv cannot be written: .*kv\.db was removed/.test(node.stderr()))
  const { code, stderr } = await put()
  assert.equal(code, 1)
  assert.match(stderr, /kv\.db was removed/)
  // Everything else goes on.
  await node.deploy('hi', 'export default { limits: { cpuMs: 1000 }, content: () => new Response("hi") }')
  assert.equal((await node.request('/')).text, 'hi')

  await node.stop()
  for (const end of ['-wal', '-shm']) await rm(join(node.folder, 'data', `kv.db${end}`), { force: true })
  const again = await startNode(t, { folder: node.folder })
  assert.equal((await again.orla('kv', 'put', 'a', 'key', 'value')).code, 0)
})
