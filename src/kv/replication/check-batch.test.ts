import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KV_UPLINK_OPERATIONS_MAX } from '../../contract/kv-replication.ts'
import { checkBatch } from './check-batch.ts'
import { bucketOf } from './encoding.ts'

const bucket = bucketOf('visits')
const put = { seq: 1, op: 'put', namespace: 'visits', key: 'a', value: 'tx', ttlMs: 0 }
const batch = (...operations: unknown[]) => ({ parts: [{ bucket, instance: 'abcdefgh', operations }] })
const part = (change: object) => ({ parts: [{ ...batch(put).parts[0], ...change }] })

test('what an edge sends is taken as it is', () => {
  const good = batch(
    put,
    { ...put, seq: 2, op: 'compareAndSet', expected: null, value: 'bAP+ACg==' },
    { ...put, seq: 3, op: 'compareAndSet', expected: 't', value: 't' },
    { seq: 7, op: 'delete', namespace: 'visits', key: '/ã' },
    { seq: 8, op: 'increment', namespace: 'visits', key: 'n', by: -5, ttlMs: 1000, strong: true },
    { seq: 9, op: 'get', namespace: 'visits', key: 'n', strong: true },
  )
  assert.equal(checkBatch(good), good)
  assert.deepEqual(checkBatch({ parts: [] }), { parts: [] })
})

test('what is no batch is refused with what is wrong about it', () => {
  const wrong: readonly (readonly [unknown, RegExp])[] = [
    [null, /the batch is an object/],
    ['{}', /the batch is an object/],
    [{}, /parts: up to 16/],
    [{ parts: Array.from({ length: 17 }, () => part({}).parts[0]) }, /parts: up to 16/],
    [{ parts: [null] }, /a part is an object/],
    [part({ bucket: 16 }), /bucket: 0 to 15/],
    [part({ bucket: (bucket + 1) % 16 }), /visits is in bucket/],
    [part({ instance: '../../etc' }), /instance/],
    [part({ instance: 'short' }), /instance/],
    [part({ operations: 'none' }), /operations: a list/],
    [batch(3), /an operation is an object/],
    [batch({ ...put, seq: 0 }), /seq: a whole number/],
    [batch({ ...put, seq: 1.5 }), /seq: a whole number/],
    [batch(put, put), /seq: growing/],
    [batch({ ...put, namespace: 'a/b' }), /namespace/],
    [batch({ ...put, namespace: '!marker' }), /namespace/],
    [batch({ ...put, key: '' }), /key: a text/],
    [batch({ ...put, key: '\ud800' }), /key: a text/],
    [batch({ ...put, key: 'k'.repeat(70_000) }), /key: a text/],
    [batch({ ...put, value: 'x' }), /an operation that is none/],
    [batch({ ...put, value: 'b=?' }), /an operation that is none/],
    [batch({ ...put, ttlMs: -1 }), /an operation that is none/],
    [batch({ ...put, ttlMs: 1e15 }), /an operation that is none/],
    [batch({ ...put, op: 'increment', by: 0.5 }), /an operation that is none/],
    [batch({ ...put, op: 'compareAndSet' }), /an operation that is none/],
    [batch({ ...put, op: 'drop' }), /an operation that is none/],
    [batch({ ...put, strong: 'yes' }), /strong/],
    [
      batch(...Array.from({ length: KV_UPLINK_OPERATIONS_MAX + 1 }, (_, i) => ({ ...put, seq: i + 1 }))),
      /2000 are/,
    ],
    [batch(put, { ...put, seq: 2, value: `t${'x'.repeat(3_000_000)}` }), /characters/],
  ]
  for (const [given, message] of wrong)
    assert.throws(
      () => checkBatch(given),
      (error: Error & { code?: string }) => error.code === 'request-invalid' && message.test(error.message),
      JSON.stringify(given)?.slice(0, 200),
    )
})

test('one large value passes: its quota judges it', () => {
  checkBatch(batch({ ...put, value: `t${'x'.repeat(3_000_000)}` }))
})
