/** Secrets of units and the key that they are sealed with, by the command. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { orla } from '../harness/command.ts'
import { startNode } from '../harness/node.ts'

const UNIT =
  'export default { limits: { cpuMs: 1000 }, content: (_: unknown, edge: any) => new Response(edge.env.TOKEN ?? "none") }'

test('secrets are set, listed and deleted, and their key changes while the node runs and while it does not', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'orla-secrets-'))
  t.after(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))
  const node = await startNode(t, { folder, units: { hi: UNIT } })
  const told = async (...argv: string[]) => {
    const { code, stdout, stderr } = await node.orla('secrets', ...argv)
    assert.equal(code, 0, stderr)
    return stdout
  }
  await writeFile(join(folder, 'value'), 'topsecret\n')
  await told('set', 'hi', 'TOKEN', '--file', 'value')
  assert.equal((await node.request('/')).text, 'topsecret')
  assert.deepEqual(JSON.parse(await told('--json')), [{ unit: 'hi', key: 'TOKEN' }])

  const keyPath = join(folder, 'data', 'orla.key')
  const first = await readFile(keyPath, 'utf8')
  assert.match(await told('rotate'), /^sealed 1 secrets of 1 versions anew, with the key [0-9a-f]{8}…$/m)
  const second = await readFile(keyPath, 'utf8')
  assert.notEqual(second, first)
  await writeFile(join(folder, 'new.key'), randomBytes(32).toString('hex'))
  const { secrets } = JSON.parse(await told('rotate', '--key', 'new.key', '--json')) as { secrets: number }
  assert.equal(secrets, 1)
  await writeFile(join(folder, 'bad.key'), 'abc')
  const bad = await node.orla('secrets', 'rotate', '--key', 'bad.key')
  assert.equal(bad.code, 1)
  assert.match(bad.stderr, /the new key is not a key: 32 bytes in hex or base64/)
  const missing = await node.orla('secrets', 'delete', 'hi', 'OTHER')
  assert.equal(missing.code, 1)
  assert.match(missing.stderr, /hi has no secret OTHER/)
  // A version from now on is sealed with the new key, too.
  assert.equal((await node.orla('env', 'hi', '--env', 'B=1')).code, 0)
  assert.equal((await node.request('/')).text, 'topsecret')

  const offline = () => orla(['secrets', 'rotate', '--data', 'data'], { cwd: folder })
  const held = await offline()
  assert.equal(held.code, 1)
  assert.match(held.stderr, /in use|process \d+/)
  await node.stop()
  const done = await offline()
  assert.equal(done.code, 0, done.stderr)
  assert.match(done.stdout, /sealed 2 secrets of 2 versions anew/)

  const again = await startNode(t, { folder })
  assert.equal((await again.request('/')).text, 'topsecret')
  assert.equal((await again.orla('secrets', 'delete', 'hi', 'TOKEN')).code, 0)
  assert.equal((await again.request('/')).text, 'none')
  await again.stop()

  // A key that is another one: nothing is guarded by a unit whose secret is not there, so the node does not start.
  await writeFile(keyPath, first)
  const wrong = await orla(['secrets', 'rotate', '--data', 'data'], { cwd: folder })
  assert.equal(wrong.code, 1)
  assert.match(wrong.stderr, /secret TOKEN of unit hi does not open with this key/)
})
