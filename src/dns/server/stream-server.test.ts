import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { test } from 'node:test'
import { TYPE } from '../../wire/dns/codes.ts'
import { DnsMessage } from '../../wire/dns/message.ts'
import { encodeMessage } from '../../wire/dns/message-writer.ts'
import { DnsName } from '../../wire/dns/name.ts'
import { StreamServer } from './stream-server.ts'
import { edgesOf } from './testing/edges.ts'

test('a client that asks, says that this is all, and waits has every answer, however many and late', async (t) => {
  const waiting: (() => void)[] = []
  const { answering } = edgesOf(async (query) => {
    await new Promise<void>((resolve) => void waiting.push(resolve))
    return query.reply()
  })
  const stream = new StreamServer(answering, answering.endpoint.timeouts)
  stream.server.listen(0, '127.0.0.1')
  await once(stream.server, 'listening')
  t.after(() => stream.close(0))
  const asked = Array.from({ length: 300 }, (_, id) => {
    const message = new DnsMessage()
    message.id = id
    message.question.push({ name: DnsName.parse('example.org'), type: TYPE.A, class: 1 })
    const bytes = encodeMessage(message)
    return Buffer.concat([Buffer.of(0, bytes.length), bytes])
  })
  const { port } = stream.server.address() as { port: number }
  const client = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  client.end(Buffer.concat(asked))
  // More than may be on their way at once: none of them is answered before the end of it has come.
  await once(client, 'finish')
  const timer = setInterval(() => waiting.splice(0).forEach((resolve) => resolve()), 5)
  t.after(() => clearInterval(timer))
  const pieces: Buffer[] = []
  for await (const piece of client as AsyncIterable<Buffer>) pieces.push(piece)
  const ids = new Set<number>()
  let received = Buffer.concat(pieces)
  for (; received.length > 0; received = received.subarray(2 + received.readUInt16BE()))
    ids.add(received.readUInt16BE(2))
  assert.equal(ids.size, 300)
})
