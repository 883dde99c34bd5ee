import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import { FrameWriter } from './frame-writer.ts'
import { FrameReader } from './frames.ts'
import type { Batch, Frame, LaneSlot } from './lane.ts'

const slot = { unit: { index: 7 } } as LaneSlot
const frame = (seq: number, batch: Batch, routes = ''): Frame => ({
  seq,
  slot,
  entries: [],
  patience: 1,
  routes,
  batch,
  isLast: true,
})

async function pair(t: TestContext): Promise<readonly [Socket, Socket]> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const near = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const [far] = (await once(server, 'connection')) as [Socket]
  server.close()
  t.after(() => {
    near.destroy()
    far.destroy()
  })
  return [near, far]
}

/** `SEQ ROUTES BATCH` of what arrives, with the lengths of the batch's parts before it where there are several, until there are so many. */
function arriving(far: Socket, count: number): Promise<string[]> {
  const seen: string[] = []
  return new Promise((resolve) => {
    const reader = new FrameReader(({ seq, slot, a, b }, bytes, start, end) => {
      assert.equal(slot, 7)
      const text = bytes.toString('latin1', start, end)
      assert.equal(text.slice(a, a + b).endsWith('\n'), b > 0)
      seen.push(`${seq} ${text.slice(0, a)} ${text.slice(a, a + b).trim()} ${text.slice(a + b)}`)
      if (seen.length === count) resolve(seen)
    })
    far.on('data', (piece: Buffer) => reader.push(piece))
  })
}

test('texts and pieces of bodies arrive in their order, in frames of their own', async (t) => {
  const [near, far] = await pair(t)
  const writer = new FrameWriter()
  writer.open(near)
  const seen = arriving(far, 3)
  writer.send([
    frame(1, 'text', 'route\n'),
    frame(2, ['before ', Buffer.from('pièce', 'latin1'), ' between ', Buffer.from('two'), '']),
    frame(3, ''),
  ])
  assert.deepEqual(await seen, ['1 route\n  text', '2  7 5 9 3 0 before pièce between two', '3   '])
})

test('what a slow sandbox has not read yet does not change when more is sent', async (t) => {
  const [near, far] = await pair(t)
  const writer = new FrameWriter()
  writer.open(near)
  const batches = Array.from({ length: 40 }, (_, i) => String.fromCharCode(65 + i).repeat(200_000))
  const seen = arriving(far.pause(), batches.length)
  for (const [i, batch] of batches.entries()) writer.send([frame(i + 1, batch)])
  assert.ok(near.writableLength > 0, 'the kernel took all of it')
  far.resume()
  assert.deepEqual(
    await seen,
    batches.map((batch, i) => `${i + 1}   ${batch}`),
  )
})

test('what is sent before there is a process arrives first', async (t) => {
  const [near, far] = await pair(t)
  const writer = new FrameWriter()
  writer.send([frame(1, ['a', Buffer.from('b'), 'c'])])
  writer.send([frame(2, 'd')])
  writer.open(near)
  const seen = arriving(far, 3)
  writer.send([frame(3, 'e')])
  assert.deepEqual(await seen, ['1  1 1 1 abc', '2   d', '3   e'])
})
