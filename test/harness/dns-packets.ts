/** Packets of the DNS byte by byte, also such as no client sends, and what comes back for them. */
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { connect } from 'node:net'
import { parseType } from '../../src/wire/dns/codes.ts'
import { DnsMessage } from '../../src/wire/dns/message.ts'
import { DnsName } from '../../src/wire/dns/name.ts'
import type { Owner } from './name-servers.ts'

export interface PacketOptions {
  readonly id?: number
  /** The second word of the header; RD alone unless said. */
  readonly flags?: number
  readonly name?: string
  readonly type?: string
  readonly class?: number
  /** QDCOUNT, ANCOUNT, NSCOUNT, ARCOUNT, in the place of what is there. */
  readonly counts?: readonly [number, number, number, number]
  readonly edns?: PacketEdns
  /** Behind all else. */
  readonly tail?: Buffer
}

export interface PacketEdns {
  readonly udpSize?: number
  readonly version?: number
  /** The low word of its TTL; DO is 0x8000. */
  readonly flags?: number
  readonly options?: Buffer
  /** In wire form; the root unless said. */
  readonly owner?: Buffer
  readonly times?: number
}

export const option = (code: number, data: Buffer = Buffer.alloc(0)): Buffer =>
  Buffer.concat([words(code, data.length), data])

export const words = (...numbers: readonly number[]): Buffer => {
  const bytes = Buffer.alloc(2 * numbers.length)
  for (const [index, number] of numbers.entries()) bytes.writeUInt16BE(number, 2 * index)
  return bytes
}

export function packet(options: PacketOptions = {}): Buffer {
  const {
    id = 0x1234,
    flags = 0x0100,
    name = 'www.example.org',
    type = 'A',
    class: klass = 1,
    edns,
    tail,
  } = options
  const times = edns ? (edns.times ?? 1) : 0
  const question = Buffer.concat([
    Buffer.from(DnsName.parse(name).wire, 'latin1'),
    words(parseType(type)!, klass),
  ])
  const opt = edns ? optRecord(edns) : Buffer.alloc(0)
  return Buffer.concat([
    words(id, flags, ...(options.counts ?? [1, 0, 0, times])),
    question,
    ...Array.from({ length: times }, () => opt),
    tail ?? Buffer.alloc(0),
  ])
}

export function optRecord(edns: PacketEdns): Buffer {
  const { udpSize = 1232, version = 0, flags = 0, options = Buffer.alloc(0), owner = Buffer.alloc(1) } = edns
  return Buffer.concat([owner, words(41, udpSize, version, flags, options.length), options])
}

export interface UdpClient {
  /** What comes back; undefined where nothing does: where a good query sent behind it is answered first. */
  ask(bytes: Buffer): Promise<Buffer | undefined>
  /** What comes back, however late: for what is answered for certain, by itself or by others. */
  answerTo(bytes: Buffer): Promise<Buffer>
  /** Sends, and does not wait. */
  send(bytes: Buffer): void
  readonly socket: Socket
}

/** `good` is a query that is answered for certain. */
export async function udpClient(t: Owner, port: number, good: PacketOptions = {}): Promise<UdpClient> {
  const socket = createSocket('udp4')
  t.after(() => void socket.close())
  socket.connect(port, '127.0.0.1')
  await once(socket, 'connect')
  let id = 0x4000
  return {
    socket,
    send: (bytes) => socket.send(bytes),
    async answerTo(bytes) {
      const answered = once(socket, 'message')
      socket.send(bytes)
      const [answer] = (await answered) as [Buffer]
      return answer
    },
    async ask(bytes) {
      const marker = packet({ ...good, id: (id += 1) })
      let found: Buffer | undefined
      const answered = new Promise<void>((resolve) => {
        const take = (answer: Buffer) => {
          if (answer.readUInt16BE() !== id) found ??= answer
          else {
            socket.off('message', take)
            resolve()
          }
        }
        socket.on('message', take)
      })
      socket.send(bytes)
      // Packets may be lost, on a busy machine also here.
      const again = setInterval(() => socket.send(marker), 500)
      socket.send(marker)
      await answered
      clearInterval(again)
      return found
    },
  }
}

/** Sends frames over one connection and gives what comes back until `count` messages are there or it closes. */
export async function askTcp(
  port: number,
  frames: readonly Buffer[],
  count = frames.length,
): Promise<Buffer[]> {
  const socket = connect(port, '127.0.0.1')
  socket.write(Buffer.concat(frames.map(framed)))
  let received = Buffer.alloc(0)
  const answers: Buffer[] = []
  try {
    for await (const piece of socket as AsyncIterable<Buffer>) {
      received = Buffer.concat([received, piece])
      while (received.length >= 2 && received.length >= 2 + received.readUInt16BE()) {
        const end = 2 + received.readUInt16BE()
        answers.push(Buffer.from(received.subarray(2, end)))
        received = received.subarray(end)
      }
      if (answers.length >= count) break
    }
  } catch {
    // It was reset.
  }
  socket.destroy()
  return answers
}

export const framed = (message: Buffer): Buffer => Buffer.concat([words(message.length), message])

export const decoded = (bytes: Buffer | undefined): DnsMessage => {
  if (!bytes) throw new Error('there was no answer')
  return DnsMessage.decode(bytes)
}
