/** A hundred deaths in the middle of writes: whatever is found afterwards is whole, and the folder stays within its bytes. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, rmSync, statSync, utimesSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { bodyOf, DiskRig, MIB, until } from './disk.support.ts'

const KILLS = 100
const PROGRAM = fileURLToPath(new URL('put-forever.support.ts', import.meta.url))

/** Writes for a moment, then dies. Resolves with what it said. */
async function writeAndDie(folder: string, socket: string, ms: number): Promise<string> {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', PROGRAM, folder, socket])
  let said = ''
  child.stdout.on('data', (chunk: Buffer) => (said += String(chunk)))
  child.stderr.on('data', (chunk: Buffer) => (said += String(chunk)))
  const ended = new Promise((resolve) => child.once('exit', resolve))
  await until(() => said.includes('open with') || child.exitCode !== null, 60_000)
  await new Promise((resolve) => setTimeout(resolve, ms))
  child.kill('SIGKILL')
  await ended
  return said
}

test(`after ${KILLS} times kill -9 in the middle of writes, every body that is found is right`, async (t) => {
  const root = mkdtempSync(join(tmpdir(), 'orla-kills-'))
  t.after(() => rmSync(root, { recursive: true, force: true, maxRetries: 5 }))
  const folder = join(root, 'tier')
  let found = 0
  let kept = 0
  for (let kill = 0; kill < KILLS; kill++) {
    // Somewhere in the first commits, and somewhere later.
    const said = await writeAndDie(folder, join(root, 's'), (kill * 7) % 60)
    assert.doesNotMatch(said, /damaged|rests|Error/, said)
    kept = Math.max(kept, Number(/open with (\d+)/.exec(said)?.[1] ?? 0))
    if (kill % 10 !== 9) continue
    // What was being written by who died is old enough to be taken for what it is.
    for (const entry of readdirSync(join(folder, 'bodies'), { recursive: true, withFileTypes: true }))
      if (entry.isFile()) utimesSync(join(entry.parentPath, entry.name), 1, 1)
    const rig = new DiskRig(t, { bytesMax: 32 * MIB, objectBytesMax: 8 * MIB }, root)
    const tier = await rig.worker()
    for (let n = 0; n < 300; n++) {
      const key = `http://a/${n}`
      const object = tier.find(key)
      if (object === undefined) continue
      const meta = JSON.parse(object.meta.toString()) as { key: string; digest: string }
      assert.equal(meta.key, key)
      const body = bodyOf(tier, key)
      assert.ok(body !== undefined, `${key}: its file was in place before its row`)
      assert.equal(createHash('sha1').update(body).digest('hex'), meta.digest, key)
      found += 1
    }
    const known = rig.keeper.states[0]!
    await until(() => files(folder).count <= known.entries && files(folder).bytes <= 32 * MIB, 30_000)
    rig.stop()
  }
  assert.ok(found > 500, `${found} bodies were found`)
  assert.ok(kept > 50, `${kept} objects were kept`)
})

function files(folder: string): { count: number; bytes: number } {
  let count = 0
  let bytes = 0
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const stats = statSync(join(entry.parentPath, entry.name), { throwIfNoEntry: false })
    bytes += (stats?.blocks ?? 0) * 512
    if (/^[0-9a-f]{14}$/.test(entry.name)) count += 1
  }
  return { count, bytes }
}
