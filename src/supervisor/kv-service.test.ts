/** Key/value data while another program takes the files, and where it gives them back. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import * as v from 'valibot'
import { systemClock } from '../base/clock.ts'
import { ConfigSchema } from '../config/schema.ts'
import type { KvRole } from '../kv/keeper.ts'
import { feedSources, followedLogs } from '../kv/replication/log-ends.ts'
import { KV_WORDS } from '../kv/versions.ts'
import type { ApplyKv } from './handover/messages.ts'
import { KvService } from './kv-service.ts'

function service(t: TestContext, role?: KvRole): KvService {
  const directory = mkdtempSync(join(tmpdir(), 'orla-kv-service-'))
  const { kv, unitCache } = v.parse(ConfigSchema, {}).edge
  const made = new KvService({
    directory,
    clock: systemClock,
    words: new Int32Array(KV_WORDS),
    limits: { kv, cache: unitCache },
    log: { info: () => {}, warn: () => {} },
    ...(role && { role }),
  })
  t.after(() => {
    made.close()
    rmSync(directory, { recursive: true })
  })
  return made
}

const increment = (kv: KvService) =>
  kv.change({ op: 'increment', namespace: 'a', key: 'n', by: 1, ttlMs: 0 }, {}).then(({ value }) => value)

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
  const put = (key: string) =>
    kv.change({ op: 'put', namespace: 'a', key, value: Buffer.from('1'), ttlMs: 0 }, {})
  await put('one')
  void kv.follow(v.parse(ConfigSchema, { edge: { kv: { keysMax: 1 } } })).use()
  await assert.rejects(put('two'), /a holds 1 keys; 1 are allowed/)
  kv.suspend()
  kv.resume()
  await assert.rejects(put('two'), /1 are allowed/)
  void kv.follow(v.parse(ConfigSchema, {})).use()
  await put('two')
})

/** What the control plane has for the edge, as often as there is something new. */
function follow(edge: KvService, plane: KvService): void {
  const logs = followedLogs(edge.ports.intake)
  const advance = () => {
    for (const source of feedSources(plane.ports.feed)) {
      const log = logs.get(source.log)!
      const entries = source.entriesAfter(log.position(), 100)
      if (entries !== 'reset') log.apply(entries)
      else {
        const { position, entries: state } = source.snapshot()
        const load = log.load(position)
        load.add(state)
        load.commit()
      }
    }
  }
  plane.ports.feed.onAppended(advance)
  advance()
}

test('an edge and its control plane: what one does, the other sees, also after another program had the files', async (t) => {
  const plane = service(t)
  const edge = service(t, { kind: 'edge', uplink: plane.ports.uplink })
  follow(edge, plane)
  assert.equal(await increment(edge), 1)
  const place = { namespace: 'a', key: 'b', value: Buffer.from('x'), ttlMs: 0 }
  const take = { op: 'compareAndSet', expected: null, ...place } as const
  assert.deepEqual(await edge.change(take, {}), { value: 1 })
  assert.deepEqual(await plane.change(take, {}), { value: 0 })
  assert.equal(Buffer.from(plane.get('a', 'n')!).toString(), '1', 'what came before it was sent before it')
  for (const kv of [plane, edge]) {
    kv.suspend()
    await assert.rejects(kv.ports.uplink.send({ parts: [] }), { code: 'upgrading' })
    kv.resume()
  }
  assert.deepEqual(await edge.change({ op: 'get', namespace: 'a', key: 'b' }, {}), {
    value: 1,
    bytes: Buffer.from('x'),
  })
  await plane.change({ op: 'put', ...place, value: Buffer.from('y') }, {})
  assert.equal(Buffer.from(edge.get('a', 'b')!).toString(), 'y', 'who listened before is told after it')
  assert.equal(edge.ports.problem, undefined)
  const names = edge.samples().map(({ name }) => name)
  assert.ok(names.includes('orla_kv_outbox_changes') && names.includes('orla_kv_taken_back_total'))
})
