import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { type Manifest, isPartName, MANIFEST, parseManifest, sealManifest } from './manifest.ts'
import { takeBackup } from './backup.ts'
import { restoreBackup } from './restore.ts'
import { BLOCK, decodeHeader, encodeHeader, fillOf } from './tar.ts'

const manifest: Manifest = {
  orlaBackup: 1,
  program: '0.1.0',
  dataVersion: 1,
  kvVersion: 1,
  at: 0,
  position: { log: 'a', id: 0, hash: '0'.repeat(64) },
  withKeys: false,
  parts: [],
}

test('headers of tar come back as they went in, however large the part', () => {
  for (const bytes of [0, 1, 8 ** 11 - 1, 8 ** 11, 2 ** 45]) {
    assert.deepEqual(decodeHeader(encodeHeader({ name: 'kv.db', bytes }, 1e12)), { name: 'kv.db', bytes })
  }
  assert.equal(decodeHeader(Buffer.alloc(BLOCK)), 'end')
})

test('a part lies below the folder', () => {
  for (const name of ['orla.db', 'acme/a.example/key.pem', '..a']) assert.ok(isPartName(name), name)
  for (const name of ['', '/etc/x', '../x', 'a/../b', 'a//b', '.', 'a/..', 'a\0b', 'x'.repeat(101)]) {
    assert.ok(!isPartName(name), name)
  }
  const parts = [{ name: '../evil', bytes: 0, sha256: '' }]
  assert.throws(() => parseManifest(sealManifest({ ...manifest, parts }), 'f'), { code: 'backup-damaged' })
})

test('a backup into a folder that is not there says so', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'orla-nowhere-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  writeFileSync(join(folder, 'orla.db'), '')
  const options = { withKeys: false, now: () => 0, onProgress: () => undefined }
  await assert.rejects(takeBackup(folder, join(folder, 'no', 'b.tar'), options), {
    code: 'file-unreadable',
    message: `${join(folder, 'no', 'b.tar')} cannot be written: there is no folder ${join(folder, 'no')}`,
  })
})

test('data of a newer program is refused by name of the formats', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'orla-newer-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const path = join(folder, 'newer.tar')
  for (const newer of [{ dataVersion: 99 }, { kvVersion: 99 }, { orlaBackup: 99 }]) {
    const text = Buffer.from(sealManifest({ ...manifest, ...newer }))
    const header = encodeHeader({ name: MANIFEST, bytes: text.length }, 0)
    writeFileSync(path, Buffer.concat([header, text, Buffer.alloc(fillOf(text.length) + 2 * BLOCK)]))
    await assert.rejects(
      restoreBackup(path, join(folder, 'made'), () => undefined),
      { code: 'store-newer', message: /99/ },
    )
    assert.ok(!existsSync(join(folder, 'made')))
  }
})
