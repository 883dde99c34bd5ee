import assert from 'node:assert/strict'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { Buckets } from './buckets.ts'
import { bucketOf } from './encoding.ts'
import { Outbox } from './outbox.ts'

const at = { namespace: 'u', key: 'k', ttlMs: 0 } as const
const text = (value: Uint8Array | undefined) => value && Buffer.from(value).toString()

function outbox() {
  const db = new DatabaseSync(':memory:')
  void new Buckets(db, { role: 'replica', keepEntries: 0, keepBytes: 0 })
  return new Outbox(db, () => 'instance')
}

test('what a key shows is worked out from its last put or delete on', () => {
  const box = outbox()
  const shown = () => text(box.visible('u', 'k', { value: Buffer.from('7'), expires: 0 }, 0).row?.value)
  box.add({ op: 'increment', by: 1, ...at }, undefined, 0)
  assert.equal(shown(), '8')
  box.add({ op: 'put', value: Buffer.from('20'), ...at }, undefined, 0)
  box.add({ op: 'increment', by: 2, ...at }, undefined, 0)
  assert.equal(shown(), '22')
  box.add({ op: 'delete', ...at }, undefined, 0)
  assert.deepEqual(box.visible('u', 'k', undefined, 0), { row: undefined, isWaiting: true })
  box.add({ op: 'increment', by: 3, ...at }, undefined, 0)
  assert.equal(shown(), '3')
})

test('and takes no longer where many changes of that key wait', () => {
  const box = outbox()
  const value = Buffer.from('x'.repeat(100))
  const rows = 20_000
  for (let i = 0; i < rows; i++) box.add({ op: 'put', value, ...at }, undefined, 0)
  const timed = (work: () => void): number => {
    const from = performance.now()
    work()
    return performance.now() - from
  }
  // Against what it takes to read all of them once.
  const one = Math.min(
    ...Array.from({ length: 5 }, () => timed(() => box.take(bucketOf('u'), 0, rows, Infinity))),
  )
  const many = timed(() => {
    for (let i = 0; i < 20; i++) box.visible('u', 'k', undefined, 0)
  })
  assert.ok(many < one, `${many} ms for 20, and ${one} ms to read all`)
})
