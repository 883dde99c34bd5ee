import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eachInvocation, invokeEntry, logRecord, RecordReader } from './guest-text.ts'

test('records are read one after the other', () => {
  const reader = new RecordReader()
  reader.reset('1 7 1 2 3 6 2 0 \na\nb403\nx:ok2 0 3 7 2 \nu.js:12hi3 5 250 \n4 5 \n5 2 \n')
  assert.ok(reader.next())
  const { id, outcome, phase, edits, head, body, bodyKind } = reader
  assert.deepEqual(
    { id, outcome, phase, edits, head, body, bodyKind },
    { id: 7, outcome: 1, phase: 2, edits: 'a\nb', head: '403\nx:', body: 'ok', bodyKind: 0 },
  )
  assert.ok(reader.next())
  assert.deepEqual([reader.kind, reader.value, reader.head, reader.body], [2, 3, 'u.js:12', 'hi'])
  assert.ok(reader.next())
  assert.deepEqual([reader.kind, reader.id, reader.value], [3, 5, 250])
  assert.ok(reader.next())
  assert.deepEqual([reader.kind, reader.id], [4, 5])
  assert.ok(reader.next())
  assert.deepEqual([reader.kind, reader.id], [5, 2])
  assert.equal(reader.next(), false)
})

for (const text of [
  '1',
  '1 ',
  '9 1 \n',
  '1 1 4 0 0 0 0 0 \n',
  '1 1 0 0 5 0 0 0 \nabc',
  '1 1 0 0 99999999999 0 0 0 \nabc',
  '1 1 0 0 1e3 0 0 0 \nabc',
  '1 -1 0 0 0 0 0 0 \n',
  '1  1 0 0 0 0 0 \n',
  '1 1 0 0 0 0 0 0\n',
  '2 1 0 0 9 \nx',
  '3 1 \n',
  '１ 1 0 0 0 0 0 0 \n',
  '1 1234567890123456789 0 0 0 0 0 0 \n',
]) {
  test(`${JSON.stringify(text)} is not in form`, () => {
    const reader = new RecordReader()
    reader.reset(text)
    assert.throws(() => {
      while (reader.next());
    })
  })
}

test('noise never reads past its end and never loops', () => {
  const reader = new RecordReader()
  let seed = 42
  const random = (below: number): number => (seed = (seed * 1_103_515_245 + 12_345) & 0x7fff_ffff) % below
  const alphabet = '0123459 \n\nax'
  for (let round = 0; round < 20_000; round++) {
    let text = ''
    for (let length = random(40); length > 0; length--) text += alphabet[random(alphabet.length)]
    reader.reset(text)
    try {
      for (let records = 0; reader.next(); records++) assert.ok(records < 40)
    } catch (error) {
      assert.ok(error instanceof Error && /expected|unknown|cut short/.test(error.message), text)
    }
  }
})

test('what we write for the guest, we read again', () => {
  const sections = { meta: '{}', head: 'GET / HTTP/1.1\r\n', response: '', body: 'é'.repeat(3) }
  const batch = `2 5 \n${invokeEntry(3, 6, { ...sections, edits: '' }, 'm PUT\n')}4 9 \n`
  const seen: unknown[] = []
  eachInvocation(batch, (id, found) => seen.push([id, found]))
  assert.deepEqual(seen, [[3, { ...sections, edits: 'm PUT\n' }]])
})

test('a warning of ours is a record like any other', () => {
  const reader = new RecordReader()
  reader.reset(logRecord(2, 'ähm\n1 2 3'))
  assert.ok(reader.next())
  assert.equal(reader.body, 'ähm\n1 2 3')
  assert.equal(reader.next(), false)
})
