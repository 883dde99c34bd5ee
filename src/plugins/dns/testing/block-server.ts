/** A server block under test on a port of its own, over UDP and TCP: for what other programs ask it. Only what a transfer needs; the real server has its own tests. */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { freePort } from '../../../../test/harness/ports.ts'
import { DnsStream } from '../../../contract/dns.ts'
import { type DnsPeer, ServerQuery } from '../../../dns/query.ts'
import { DnsMessage } from '../../../wire/dns/message.ts'
import { encodeMessage } from '../../../wire/dns/message-writer.ts'
import type { TestBlock } from './block.ts'

/** Serves until the end of the test; returns the port. */
export async function served(t: TestContext, block: TestBlock, wantedPort?: number): Promise<number> {
  const port = wantedPort ?? (await freePort())
  const udp = createSocket('udp4')
  udp.on('message', (bytes, { address, port: from }) => {
    void messagesOf(block, bytes, peerOf(true, address, from)).then(async (messages) => {
      for await (const message of messages) udp.send(encodeMessage(message, 1232), from, address)
    })
  })
  const sockets = new Set<Socket>()
  const tcp = createServer((socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => socket.destroy())
    void answerFrames(block, socket)
  })
  udp.bind(port, '127.0.0.1')
  await once(udp, 'listening')
  await once(tcp.listen(port, '127.0.0.1'), 'listening')
  t.after(() => {
    udp.close()
    tcp.close()
    for (const socket of sockets) socket.destroy()
  })
  return port
}

async function answerFrames(block: TestBlock, socket: Socket): Promise<void> {
  let bytes = Buffer.alloc(0)
  try {
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      bytes = Buffer.concat([bytes, chunk])
      while (bytes.length >= 2 && bytes.length >= 2 + bytes.readUInt16BE(0)) {
        const frame = bytes.subarray(2, 2 + bytes.readUInt16BE(0))
        bytes = bytes.subarray(2 + frame.length)
        const peer = peerOf(false, socket.remoteAddress!, socket.remotePort!)
        for await (const message of await messagesOf(block, frame, peer)) {
          const answer = encodeMessage(message)
          const head = Buffer.alloc(2)
          head.writeUInt16BE(answer.length)
          if (socket.destroyed) break
          if (!socket.write(Buffer.concat([head, answer])))
            await Promise.race([once(socket, 'drain'), once(socket, 'close')])
        }
      }
    }
  } catch {
    socket.destroy()
  }
}

async function messagesOf(
  block: TestBlock,
  bytes: Buffer,
  peer: DnsPeer,
): Promise<AsyncIterable<DnsMessage> | Iterable<DnsMessage>> {
  const message = DnsMessage.decode(bytes)
  const [question] = message.question
  const asked = { ...question!, id: message.id, opcode: message.opcode, edns: message.edns }
  const flags = { isRecursionDesired: message.isRecursionDesired, isCheckingDisabled: false }
  const query = new ServerQuery({ ...asked, ...flags }, peer, Buffer.from(bytes), performance.now())
  const outcome = await block.run(query)
  if (outcome instanceof DnsStream) return outcome.messages
  if (outcome instanceof DnsMessage) return [outcome]
  return outcome < 0 ? [] : [query.reply(outcome)]
}

const peerOf = (isUdp: boolean, ip: string, port: number): DnsPeer => ({
  transport: 'dns',
  isUdp,
  ip: () => ip,
  port: () => port,
  localIp: () => '127.0.0.1',
  localPort: () => 53,
  isProven: !isUdp,
})
