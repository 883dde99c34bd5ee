/** The root token changes while the node runs, and whoever can read the file, or the data directory, is not locked out by it. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { ConfigInput } from '../../src/config/schema.ts'
import { orla } from '../harness/command.ts'
import { eventually } from '../harness/eventually.ts'
import { ask } from '../harness/http-client.ts'
import { startNode, type TestNode } from '../harness/node.ts'

function writeToken(node: TestNode, token: string | undefined): void {
  const path = join(node.folder, 'orla.config.json')
  const config = JSON.parse(readFileSync(path, 'utf8')) as ConfigInput
  writeFileSync(path, JSON.stringify({ ...config, control: { ...config.control, token } }))
}

const statusWith = async (node: TestNode, token: string): Promise<number> =>
  (await ask(`${node.control}/v1/units`, { headers: { authorization: `Bearer ${token}` } })).status

test('another token in the file counts from the reload on, and the one before opens nothing', async (t) => {
  const node = await startNode(t)
  writeToken(node, 'another')
  // Whether by the command or by the look at the file: one of the two comes first.
  const { code, stdout, stderr } = await node.orla('reload')
  if (code === 0) assert.match(stdout, /changed control\.token|nothing changed/)
  else assert.match(stderr, /another token is configured now, and this one is not valid any more/)
  await eventually(async () => (await statusWith(node, 'another')) === 200)
  assert.equal(await statusWith(node, node.token), 401)
  assert.match(node.stderr(), /the token of the control plane is what the configuration says now/)
  assert.doesNotMatch(node.stderr(), /"another"/)
})

test('a script that goes on with the token before does not lock out who has the new one', async (t) => {
  const node = await startNode(t)
  writeToken(node, 'another')
  await eventually(async () => (await statusWith(node, node.token)) === 401)
  for (let i = 0; i < 30; i += 1) assert.equal(await statusWith(node, node.token), 401)
  assert.equal(await statusWith(node, 'another'), 200)
})

test('without a token in the file the one that is kept counts, and commands in these folders find it', async (t) => {
  const node = await startNode(t)
  const data = join(node.folder, 'data')
  writeToken(node, undefined)
  await eventually(() => node.stderr().includes(`is the one in ${join(data, 'control.token')}`))
  for (const cwd of [node.folder, data]) {
    const { code, stderr } = await orla(['units', '--control', node.control], { cwd })
    assert.equal(code, 0, stderr)
  }
  // Another one there, too, from the next reload on.
  writeFileSync(join(data, 'control.token'), 'one-of-my-own-choice')
  node.kill('SIGHUP')
  await eventually(async () => (await statusWith(node, 'one-of-my-own-choice')) === 200)

  writeFileSync(join(data, 'control.token'), 'short')
  node.kill('SIGHUP')
  await eventually(() => /not reloaded \(SIGHUP\).*holds no token of at least 16/.test(node.stderr()))
  assert.equal(await statusWith(node, 'one-of-my-own-choice'), 200)
})
