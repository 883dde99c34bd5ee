import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readEvents, type ServerEvent } from './server-events.ts'

async function events(...chunks: (string | Uint8Array)[]): Promise<ServerEvent[]> {
  async function* bytes() {
    for (const chunk of chunks) yield typeof chunk === 'string' ? Buffer.from(chunk) : chunk
  }
  const read: ServerEvent[] = []
  for await (const event of readEvents(bytes())) read.push(event)
  return read
}

test('events are read by their fields, comments are passed over', async () => {
  assert.deepEqual(await events(': listening\n\nevent: line\ndata: {"a":1}\n\ndata:x\n\n'), [
    { event: 'line', data: '{"a":1}' },
    { event: 'message', data: 'x' },
  ])
})

test('several data lines are one text', async () => {
  assert.deepEqual(await events('data: a\ndata\ndata:  b\n\n'), [{ event: 'message', data: 'a\n\n b' }])
})

test('events are the same however the bytes are cut', async () => {
  const text = 'event: line\r\ndata: {"text":"ação 🎬"}\r\n\r\nevent: dropped\r\ndata: 3\r\n\r\n'
  const whole = await events(text)
  assert.equal(whole.length, 2)
  const bytes = Buffer.from(text)
  for (let at = 1; at < bytes.length; at++) {
    assert.deepEqual(await events(bytes.subarray(0, at), bytes.subarray(at)), whole, `cut at ${at}`)
  }
})

test('an event without its end is not told', async () => {
  assert.deepEqual(await events('data: half'), [])
  assert.deepEqual(await events('data: half\n'), [])
})
