/** A DNS server for tests that answers as it is told to, wrongly above all: over UDP, TCP or TLS, on one port of 127.0.0.1. */
import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { createServer as createTlsServer, type TlsOptions } from 'node:tls'
import { DnsMessage } from '../../wire/dns/message.ts'
import { encodeMessage } from '../../wire/dns/message-writer.ts'
import { DnsRecord } from '../../wire/dns/record.ts'

export interface FaultServerOptions {
  /** Called for each packet; `send` may be called any number of times. */
  readonly onPacket?: (query: Buffer, send: (answer: Buffer) => void, port: number) => void
  /** Called for each question of a connection, without its length. */
  readonly onFrame?: (query: Buffer, socket: Socket) => void
  readonly onConnection?: (socket: Socket) => void
  readonly tls?: TlsOptions
}

export interface FaultServer {
  /** `127.0.0.1:PORT`. */
  readonly address: string
  readonly port: number
  readonly udp: UdpSocket
  readonly connections: Set<Socket>
  /** Connections so far. */
  accepted: number
  stop(): Promise<void>
}

export async function faultServer(t: TestContext, options: FaultServerOptions): Promise<FaultServer> {
  const { onPacket = () => undefined, onFrame = () => undefined, onConnection, tls } = options
  const connections = new Set<Socket>()
  const accept = (socket: Socket) => {
    server.accepted += 1
    connections.add(socket)
    socket.on('close', () => connections.delete(socket))
    socket.on('error', () => undefined)
    onConnection?.(socket)
    let held = Buffer.alloc(0)
    socket.on('data', (chunk: Buffer) => {
      held = Buffer.concat([held, chunk])
      while (held.length >= 2 && held.length >= 2 + held.readUInt16BE(0)) {
        const end = 2 + held.readUInt16BE(0)
        onFrame(Buffer.from(held.subarray(2, end)), socket)
        held = held.subarray(end)
      }
    })
  }
  const { stream, udp } = await onePort(() => (tls ? createTlsServer(tls, accept) : createServer(accept)))
  udp.on('message', (query, from) =>
    onPacket(query, (answer) => udp.send(answer, from.port, from.address), from.port),
  )
  const { port } = stream.address() as AddressInfo
  let isStopped = false
  const stop = async () => {
    if (isStopped) return
    isStopped = true
    for (const socket of connections) socket.destroy()
    udp.close()
    stream.close()
    await once(stream, 'close')
  }
  t.after(stop)
  const server: FaultServer = { address: `127.0.0.1:${port}`, port, udp, connections, accepted: 0, stop }
  return server
}

/** A port that is free for both. */
async function onePort(create: () => Server): Promise<{ stream: Server; udp: UdpSocket }> {
  for (;;) {
    const stream = create()
    await once(stream.listen(0, '127.0.0.1'), 'listening')
    const udp = createSocket('udp4')
    const bound = once(udp, 'listening')
    udp.bind((stream.address() as AddressInfo).port, '127.0.0.1')
    try {
      await bound
      return { stream, udp }
    } catch {
      stream.close()
      udp.close()
    }
  }
}

/** A good answer to the question, with an address; `change` makes something else of it. */
export function answerTo(query: Buffer, change: (answer: DnsMessage) => void = () => undefined): Buffer {
  const answer = DnsMessage.decode(query)
  answer.isResponse = true
  answer.isRecursionAvailable = true
  const { name, type } = answer.question[0]!
  if (type === 1) answer.answer.push(new DnsRecord(name, 1, 300, Buffer.from([192, 0, 2, 1])))
  change(answer)
  return encodeMessage(answer)
}

/** With its length in front. */
export function framed(answer: Buffer): Buffer {
  const length = Buffer.alloc(2)
  length.writeUInt16BE(answer.length)
  return Buffer.concat([length, answer])
}
