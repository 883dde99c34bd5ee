import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { EdgeError } from '../base/errors.ts'
import type { KvBatch, KvLimits, KvOperation, KvResult, KvStoreName } from '../contract/kv.ts'
import { KvClient, WAITING_MAX } from './client.ts'
import { KvReader } from './reader.ts'
import { KV_WORDS } from './versions.ts'
import { KvWriter } from './writer.ts'

const LIMITS: KvLimits = { keysMax: 100, bytesMax: 10_000, keyBytesMax: 64, valueBytesMax: 4000 }

interface Stand {
  now: number
  readonly path: string
  readonly writer: KvWriter
  readonly reader: KvReader
  reopen(): KvWriter
}

function stand(t: TestContext, limits: Partial<KvLimits> = {}, name: KvStoreName = 'kv'): Stand {
  const folder = mkdtempSync(join(tmpdir(), 'orla-kv-'))
  const path = join(folder, 'kv.db')
  const words = new Int32Array(KV_WORDS)
  const clock = { now: () => kv.now, monotonic: () => kv.now }
  const open = () => new KvWriter({ name, path, clock, words, limits: { ...LIMITS, ...limits } })
  const writers: KvWriter[] = []
  const reopen = () => {
    const writer = open()
    writers.push(writer)
    return writer
  }
  const kv: Stand = {
    now: 1_000_000,
    path,
    writer: reopen(),
    reader: new KvReader({ name, path, clock, words }),
    reopen,
  }
  t.after(() => {
    kv.reader.close()
    for (const writer of writers) writer.close()
    rmSync(folder, { recursive: true })
  })
  return kv
}

const put = (key: string, value: string, ttlMs = 0, namespace = 'u') =>
  ({ op: 'put', namespace, key, value: Buffer.from(value), ttlMs }) as const
const increment = (key: string, by = 1, ttlMs = 0) =>
  ({ op: 'increment', namespace: 'u', key, by, ttlMs }) as const
const remove = (key: string) => ({ op: 'delete', namespace: 'u', key }) as const
const code = (result: KvResult | undefined) => (result && 'code' in result ? result.code : 'done')

test('what was written is read at once, also where an older value was remembered', (t) => {
  const { writer, reader } = stand(t)
  assert.equal(reader.get('u', 'a'), undefined)
  writer.apply([put('a', '1')], false)
  assert.equal(reader.get('u', 'a'), '1')
  writer.apply([put('a', '2'), put('b', 'ã')], false)
  assert.equal(reader.get('u', 'a'), '2')
  assert.equal(Buffer.from(reader.get('u', 'b')!, 'latin1').toString(), 'ã')
  assert.equal(reader.get('other', 'a'), undefined)
  writer.apply([remove('a')], true)
  assert.equal(reader.get('u', 'a'), undefined)
})

test('a counter grows within one transaction, from nothing or from text that is a number', (t) => {
  const { writer, reader } = stand(t)
  const results = writer.apply([increment('n'), increment('n', 5), put('m', '-7'), increment('m', 2)], false)
  assert.deepEqual(
    results.map((result) => 'value' in result && result.value),
    [1, 6, 0, -5],
  )
  assert.equal(reader.get('u', 'n'), '6')
  assert.equal(code(writer.apply([put('t', 'text'), increment('t')], false)[1]), 'kv-number')
  assert.equal(code(writer.apply([put('b', '9007199254740991'), increment('b')], false)[1]), 'kv-number')
  assert.equal(reader.get('u', 't'), 'text')
})

test('a key is gone when its time is over, and its counter starts anew', (t) => {
  const kv = stand(t)
  kv.writer.apply([put('a', '1', 100), increment('n', 3, 100), put('stays', '1')], false)
  assert.equal(kv.reader.get('u', 'a'), '1')
  kv.now += 60
  // The time of a counter counts from when it came to be.
  kv.writer.apply([increment('n', 1, 100)], false)
  assert.equal(kv.reader.get('u', 'n'), '4')
  kv.now += 60
  assert.equal(kv.reader.get('u', 'a'), undefined)
  assert.deepEqual(kv.reader.list('u', '', 10, ''), { keys: [{ name: 'stays' }], complete: true })
  assert.deepEqual(kv.writer.apply([increment('n', 1, 100)], false), [{ value: 1 }])
  kv.now += 200
  assert.equal(kv.writer.sweep(), false)
  assert.deepEqual(kv.writer.usage, [{ namespace: 'u', keys: 1, bytes: 6 }])
})

test('a key is set where it holds what is expected, byte for byte', (t) => {
  const kv = stand(t)
  const set = (expected: string | null, value: string, ttlMs = 0) => {
    const before = expected === null ? null : Buffer.from(expected)
    const write = {
      op: 'compareAndSet',
      namespace: 'u',
      key: 'a',
      expected: before,
      value: Buffer.from(value),
      ttlMs,
    }
    const [result] = kv.writer.apply([write as KvOperation], false)
    return result && 'value' in result && result.value
  }
  assert.deepEqual(
    [set('', '1'), set(null, '1'), set(null, '2'), set('', '2'), set('1', '')],
    [0, 1, 0, 0, 1],
  )
  assert.deepEqual([set('1', '2'), set('', '3', 100)], [0, 1])
  kv.now += 100
  // Its time is over, and so it is not there.
  assert.deepEqual([set('3', '4'), set(null, '5')], [0, 1])
  assert.deepEqual(kv.writer.apply([{ op: 'get', namespace: 'u', key: 'a' }], false), [
    { value: 1, bytes: new Uint8Array(Buffer.from('5')) },
  ])
  assert.equal(code(kv.writer.apply([put('b', 'x'.repeat(5000))], false)[0]), 'kv-value')
})

test('keys are listed by prefix, in order, page by page', (t) => {
  const { writer, reader } = stand(t)
  writer.apply(
    ['b/2', 'b/10', 'a', 'b/1', 'c', 'b/é'].map((key) => put(key, '')),
    false,
  )
  const first = reader.list('u', 'b/', 2, '')
  assert.deepEqual(first, { keys: [{ name: 'b/1' }, { name: 'b/10' }], cursor: 'b/10', complete: false })
  assert.deepEqual(reader.list('u', 'b/', 2, first.cursor!), {
    keys: [{ name: 'b/2' }, { name: 'b/é' }],
    complete: true,
  })
  assert.equal(reader.list('u', '', 100, '').keys.length, 6)
})

test('quotas refuse what is too much, and the rest of a transaction stands', (t) => {
  const { writer, reader } = stand(t, { keysMax: 3, bytesMax: 3000 })
  const results = writer.apply(
    [
      put('a', '1'),
      put('k'.repeat(65), '1'),
      put('b', 'x'.repeat(4001)),
      put('b', 'x'.repeat(2900)),
      put('c', 'x'.repeat(200)),
      put('c', '1'),
      put('d', '1'),
      put('a', '22'),
    ],
    false,
  )
  assert.deepEqual(results.map(code), [
    'done',
    'kv-key',
    'kv-value',
    'done',
    'kv-quota',
    'done',
    'kv-quota',
    'done',
  ])
  assert.equal(reader.get('u', 'a'), '22')
  assert.deepEqual(writer.usage, [{ namespace: 'u', keys: 3, bytes: 2 + 1 + 2901 + 2 }])
  // Another namespace is not concerned, and what is deleted makes room.
  assert.equal(code(writer.apply([put('a', 'x', 0, 'other')], false)[0]), 'done')
  writer.apply([remove('b')], false)
  assert.equal(code(writer.apply([put('d', '1')], false)[0]), 'done')
})

test('a cache lets go what was written longest ago', (t) => {
  const { writer, reader } = stand(t, { keysMax: 100, bytesMax: 10_000 }, 'cache')
  for (let i = 0; i < 250; i++) assert.equal(code(writer.apply([put(`k${i}`, 'v')], false)[0]), 'done')
  assert.equal(reader.get('u', 'k0'), undefined)
  assert.equal(reader.get('u', 'k249'), 'v')
  assert.ok(writer.usage[0]!.keys <= 100)
  for (let i = 0; i < 20; i++) writer.apply([put(`l${i}`, 'x'.repeat(3000))], false)
  assert.ok(writer.usage[0]!.bytes <= 10_000)
  assert.ok(writer.evicted > 150)
})

test('data and quotas outlive the writer', (t) => {
  const kv = stand(t)
  kv.writer.apply([put('a', '1'), increment('n', 41)], true)
  kv.writer.close()
  const again = kv.reopen()
  assert.deepEqual(again.usage, [{ namespace: 'u', keys: 2, bytes: 5 }])
  assert.deepEqual(again.apply([increment('n')], false), [{ value: 42 }])
})

test('a file that is damaged or another program’s is told apart, and left as it is', (t) => {
  const kv = stand(t)
  kv.writer.apply([put('a', 'x'.repeat(3000))], true)
  kv.writer.close()
  kv.reader.close()
  const isCorrupt = (error: unknown) =>
    error instanceof EdgeError && error.code === 'kv-corrupt' && error.message.includes(kv.path)
  truncateSync(kv.path, 5000)
  assert.throws(() => kv.reopen(), isCorrupt)
  writeFileSync(kv.path, 'not a database'.repeat(1000))
  assert.throws(() => kv.reopen(), isCorrupt)
  assert.throws(() => kv.reader.get('u', 'a'), isCorrupt)
  writeFileSync(kv.path, '')
  assert.throws(() => kv.reopen(), isCorrupt)
})

test('a disk without room refuses a change and keeps what was there', (t) => {
  const kv = stand(t, { bytesMax: 1e9, keysMax: 1e6 })
  kv.writer.apply([put('a', '1')], false)
  kv.writer.limitPages(40)
  const results = Array.from(
    { length: 60 },
    (_, i) => kv.writer.apply([put(`k${i}`, 'x'.repeat(4000))], false)[0],
  )
  const failed = results.find((result) => code(result) === 'kv-unavailable')
  assert.match(failed && 'code' in failed ? failed.message : '', /full/)
  assert.equal(kv.reader.get('u', 'a'), '1')
  kv.writer.limitPages(10_000)
  assert.equal(code(kv.writer.apply([put('later', '1')], false)[0]), 'done')
})

function client() {
  const sent: KvBatch[] = []
  return { sent, kv: new KvClient('kv', { send: (batch) => sent.push(batch) }) }
}
const turn = () => new Promise((resolve) => setImmediate(resolve))

test('changes of one turn go in one message, and increments of a key are added up', async () => {
  const { sent, kv } = client()
  const results: KvResult[] = []
  for (const by of [1, 2, 3]) kv.write(increment('n', by), false, (result) => results.push(result))
  kv.write(put('a', '1'), false, (result) => results.push(result))
  await turn()
  assert.equal(sent.length, 1)
  assert.deepEqual(
    sent[0]!.writes.map((write) => (write.op === 'increment' ? write.by : write.op)),
    [6, 'put'],
  )
  // What comes meanwhile waits.
  kv.write(increment('n'), true, (result) => results.push(result))
  await turn()
  assert.equal(sent.length, 1)
  kv.done(sent[0]!.id, [{ value: 106 }, { value: 0 }])
  assert.deepEqual(results, [{ value: 101 }, { value: 103 }, { value: 106 }, { value: 0 }])
  await turn()
  assert.equal(sent.length, 2)
  assert.equal(sent[1]!.durable, true)
})

test('increments that add up to no exact number stay apart, and one that is none is refused', async (t) => {
  const { sent, kv } = client()
  const most = Number.MAX_SAFE_INTEGER
  const values: number[] = []
  const note = (result: KvResult) => values.push('value' in result ? result.value : NaN)
  for (const by of [most, most, -most]) kv.write(increment('n', by), false, note)
  await turn()
  const { writes, id } = sent[0]!
  assert.deepEqual(
    writes.map((write) => write.op === 'increment' && write.by),
    [most, 0],
  )
  const { writer } = stand(t)
  writer.apply([put('n', `${-most}`)], false)
  kv.done(id, writer.apply(writes, false))
  assert.deepEqual(values, [0, most, 0])
  writer.apply([put('n', `${-most}`)], false)
  assert.equal(code(writer.apply([increment('n', 2 * most)], false)[0]), 'kv-number')
})

test('an increment after a put of the same key is not moved before it', async () => {
  const { sent, kv } = client()
  kv.write(increment('n', 1), false, () => {})
  kv.write(put('n', '10'), false, () => {})
  kv.write(increment('n', 1), false, () => {})
  await turn()
  assert.deepEqual(
    sent[0]!.writes.map((write) => write.op),
    ['increment', 'put', 'increment'],
  )
})

test('what is asked of others goes at once, and nothing waits for its answer', async () => {
  const { sent, kv } = client()
  const results: KvResult[] = []
  kv.ask({ op: 'get', namespace: 'u', key: 'far' }, false, (result) => results.push(result))
  assert.deepEqual([sent.length, sent[0]!.strong], [1, true])
  for (const key of ['a', 'b']) {
    kv.write(put(key, '1'), false, (result) => results.push(result))
    await turn()
    kv.done(sent.at(-1)!.id, [{ value: 0 }])
  }
  assert.equal(sent.length, 3)
  assert.equal(results.length, 2)
  kv.done(sent[0]!.id, [{ value: 1, bytes: Buffer.from('x') }])
  assert.deepEqual(results[2], { value: 1, bytes: Buffer.from('x') })
})

test('who writes without end is told to wait, and others are not', async () => {
  const { sent, kv } = client()
  const refused: string[] = []
  const note = (result: KvResult) => void ('code' in result && refused.push(result.code))
  for (let i = 0; i < WAITING_MAX + 5; i += 1) kv.write(put(`k${i}`, 'x'), false, note)
  assert.deepEqual(
    refused,
    Array.from({ length: 5 }, () => 'kv-busy'),
  )
  kv.write({ ...put('a', '1'), namespace: 'other' }, false, note)
  assert.equal(refused.length, 5)
  await turn()
  // What is done makes room.
  const [first] = sent
  kv.done(
    first!.id,
    first!.writes.map(() => ({ value: 0 })),
  )
  kv.write(put('again', 'x'), false, note)
  assert.equal(refused.length, 5)
})
