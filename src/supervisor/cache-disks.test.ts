/** What the supervisor notes about the caches' tiers on disk. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { checkConfig } from '../config/check.ts'
import { CacheDisks } from './cache-disks.ts'

test('a position that is reached after the disks were let go is not noted: nothing was purged there', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'orla-disks-'))
  t.after(() => rmSync(directory, { recursive: true, force: true }))
  const result = checkConfig({ sites: [{ origin: 'http://127.0.0.1:9000', cache: { disk: '1mb' } }] })
  assert.equal(result.kind, 'config')
  const { config } = result
  const disks = new CacheDisks({
    directory,
    config,
    log: { info() {}, warn() {} },
    shared: { path: join(directory, 'words') },
  })
  const noted = () => JSON.parse(readFileSync(join(directory, 'cache', 'purged-to.json'), 'utf8')) as unknown
  disks.start(config)
  disks.reached({ log: 'a', id: 1 })
  await disks.close()
  assert.deepEqual(noted(), { log: 'a', id: 1 })
  disks.reached({ log: 'a', id: 2 })
  await disks.close()
  assert.deepEqual(noted(), { log: 'a', id: 1 })
})
