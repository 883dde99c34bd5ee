/** A primary over TCP that answers each question as it is told to, right or wrong, and counts them. */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { DnsMessage } from '../../wire/dns/message.ts'
import { encodeMessage } from '../../wire/dns/message-writer.ts'
import { DnsName } from '../../wire/dns/name.ts'
import { DnsRecord } from '../../wire/dns/record.ts'
import { TYPE } from '../../wire/dns/codes.ts'

export type Script = (query: DnsMessage, socket: Socket) => void | Promise<void>

export interface ScriptedPrimary {
  readonly port: number
  readonly asked: DnsMessage[]
  script: Script
}

export async function scriptedPrimary(t: TestContext, script: Script): Promise<ScriptedPrimary> {
  const sockets = new Set<Socket>()
  const primary = { port: 0, asked: [] as DnsMessage[], script }
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => socket.destroy())
    let bytes = Buffer.alloc(0)
    socket.on('data', (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk])
      while (bytes.length >= 2 && bytes.length >= 2 + bytes.readUInt16BE(0)) {
        const end = 2 + bytes.readUInt16BE(0)
        const query = DnsMessage.decode(Buffer.from(bytes.subarray(2, end)))
        bytes = bytes.subarray(end)
        primary.asked.push(query)
        void primary.script(query, socket)
      }
    })
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.after(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  primary.port = (server.address() as AddressInfo).port
  return primary
}

export const ORIGIN = DnsName.parse('example.org')
export const host = (name: string, address = '192.0.2.1', origin = ORIGIN): DnsRecord =>
  new DnsRecord(DnsName.parse(name, origin), TYPE.A, 300, Buffer.from(address.split('.').map(Number)))

export function soa(serial: number, times: readonly number[] = [7200, 3600, 1_209_600, 300]): DnsRecord {
  const numbers = Buffer.alloc(20)
  for (const [index, number] of [serial, ...times].entries()) numbers.writeUInt32BE(number, index * 4)
  const names = Buffer.from(ORIGIN.wire + ORIGIN.wire, 'latin1')
  return new DnsRecord(ORIGIN, TYPE.SOA, 300, Buffer.concat([names, numbers]))
}

export const ns = new DnsRecord(ORIGIN, TYPE.NS, 300, Buffer.from(ORIGIN.wire, 'latin1'))

/** An answer to a query with these records. */
export function answerTo(query: DnsMessage, records: readonly DnsRecord[]): DnsMessage {
  const answer = new DnsMessage()
  answer.id = query.id
  answer.isResponse = true
  answer.isAuthoritative = true
  answer.question = [...query.question]
  answer.answer = [...records]
  return answer
}

/** The bytes of a message as TCP has them. */
export function frameOf(message: DnsMessage): Buffer {
  const bytes = encodeMessage(message)
  const head = Buffer.alloc(2)
  head.writeUInt16BE(bytes.length)
  return Buffer.concat([head, bytes])
}

/** One that has this zone and is right about it. */
export const honest =
  (records: readonly DnsRecord[]): Script =>
  (query, socket) => {
    const isWhole = query.question[0]!.type !== TYPE.SOA
    socket.write(frameOf(answerTo(query, isWhole ? [...records, records[0]!] : [records[0]!])))
  }
