/** Key/value data while another program takes the files, and where it gives them back. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import * as v from 'valibot'
import { systemClock } from '../base/clock.ts'
import { ConfigSchema } from '../config/schema.ts'
import { KV_WORDS } from '../kv/versions.ts'
import type { ApplyKv } from './handover/messages.ts'
import { KvService } from './kv-service.ts'

function service(t: TestContext): KvService {
  const directory = mkdtempSync(join(tmpdir(), 'orla-kv-service-'))
  const { kv, unitCache } = v.parse(ConfigSchema, {}).edge
  const made = new KvService({
    directory,
    clock: systemClock,
    words: new Int32Array(KV_WORDS),
    limits: { kv, cache: unitCache },
    log: { info: () => {}, warn: () => {} },
  })
  t.after(() => {
    made.close()
    rmSync(directory, { recursive: true })
  })
  return made
}

const increment = (kv: KvService) =>
  kv.change({ op: 'increment', namespace: 'a', key: 'n', by: 1, ttlMs: 0 }, false)

/** A program that takes changes, and ends without having done them. */
function dying() {
  const taken: Parameters<ApplyKv>[1][] = []
  const apply: ApplyKv = (_, onDone) => void taken.push(onDone)
  const end = () => {
    for (const onDone of taken.splice(0)) onDone([])
  }
  return { apply, end }
}

test('changes go to the program that takes over, also those that waited for it', async (t) => {
  const kv = service(t)
  kv.suspend()
  const early = increment(kv)
  let count = 10
  kv.sendTo((_, onDone) => onDone([{ value: ++count }]))
  assert.equal(await early, 11)
  assert.equal(await increment(kv), 12)
})

test('what a program that does not come to serve has not done is done here, once and in order', async (t) => {
  const kv = service(t)
  assert.equal(await increment(kv), 1)
  kv.suspend()
  const { apply, end } = dying()
  const early = increment(kv)
  kv.sendTo(apply)
  const late = increment(kv)
  end()
  kv.resume()
  assert.deepEqual(await Promise.all([early, late, increment(kv)]), [2, 3, 4])
})

test('what a program that served has not done when it ends is refused', async (t) => {
  const kv = service(t)
  kv.suspend()
  const { apply, end } = dying()
  kv.sendTo(apply)
  const change = increment(kv)
  kv.leave()
  end()
  await assert.rejects(change, { code: 'kv-unavailable' })
})

test('quotas follow the configuration, also in files that are opened later', async (t) => {
  const kv = service(t)
  const put = (key: string): Promise<number> =>
    kv.change({ op: 'put', namespace: 'a', key, value: Buffer.from('1'), ttlMs: 0 }, false)
  await put('one')
  void kv.follow(v.parse(ConfigSchema, { edge: { kv: { keysMax: 1 } } })).use()
  await assert.rejects(put('two'), /a holds 1 keys; 1 are allowed/)
  kv.suspend()
  kv.resume()
  await assert.rejects(put('two'), /1 are allowed/)
  void kv.follow(v.parse(ConfigSchema, {})).use()
  await put('two')
})
