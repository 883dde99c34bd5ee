/** A DNS server for tests, over UDP on a port of its own: it answers what it is told to, and counts who asks. */
import { createSocket, type Socket } from 'node:dgram'
import type { TestContext } from 'node:test'

/** What a name has. Without addresses of a family that is an empty answer. */
export interface Zone {
  readonly ttl?: number
  readonly a?: readonly string[]
  readonly aaaa?: readonly string[]
  /** Instead of an answer: an error code (3: no such name, 2: failure), or nothing at all. */
  readonly fails?: number | 'silent'
}

export interface TestDns {
  /** `127.0.0.1:PORT`, for `origin.resolver`. */
  readonly address: string
  /** By name, lower case; a name that is not here does not exist. Change it at any time. */
  readonly zones: Map<string, Zone>
  /** Questions so far, such as `A app.example`. */
  readonly questions: string[]
}

const TYPES: Readonly<Record<number, 'A' | 'AAAA'>> = { 1: 'A', 28: 'AAAA' }

export async function startDns(t: TestContext, zones: Readonly<Record<string, Zone>>): Promise<TestDns> {
  const socket: Socket = createSocket('udp4')
  const dns = { zones: new Map(Object.entries(zones)), questions: [] as string[] }
  socket.on('message', (query, from) => {
    const { name, type, end } = questionOf(query)
    dns.questions.push(`${TYPES[type] ?? type} ${name}`)
    const zone = dns.zones.get(name) ?? { fails: 3 }
    if (zone.fails === 'silent') return
    const addresses = (TYPES[type] === 'A' ? zone.a : TYPES[type] === 'AAAA' ? zone.aaaa : []) ?? []
    const head = Buffer.from(query.subarray(0, 12))
    head.writeUInt16BE(0x8180 | (zone.fails ?? 0), 2)
    head.writeUInt16BE(zone.fails === undefined ? addresses.length : 0, 6)
    head.writeUInt16BE(0, 8)
    head.writeUInt16BE(0, 10)
    const records = zone.fails === undefined ? addresses.map((one) => record(one, type, zone.ttl ?? 60)) : []
    socket.send(Buffer.concat([head, query.subarray(12, end), ...records]), from.port, from.address)
  })
  await new Promise<void>((resolve) => void socket.bind(0, '127.0.0.1', resolve))
  t.after(() => socket.close())
  return { address: `127.0.0.1:${socket.address().port}`, ...dns }
}

function questionOf(query: Buffer): { name: string; type: number; end: number } {
  const labels: string[] = []
  let at = 12
  for (let length = query[at]!; length > 0; length = query[at]!) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length))
    at += 1 + length
  }
  return { name: labels.join('.').toLowerCase(), type: query.readUInt16BE(at + 1), end: at + 5 }
}

/** RFC 1035 §4.1.3; the name points at the question. */
function record(address: string, type: number, ttl: number): Buffer {
  const data = address.includes(':') ? bytesOf6(address) : address.split('.').map(Number)
  const head = Buffer.alloc(12)
  head.writeUInt16BE(0xc00c, 0)
  head.writeUInt16BE(type, 2)
  head.writeUInt16BE(1, 4)
  head.writeUInt32BE(ttl, 6)
  head.writeUInt16BE(data.length, 10)
  return Buffer.concat([head, Buffer.from(data)])
}

function bytesOf6(address: string): number[] {
  const [left = '', right = ''] = address.split('::')
  const words = (text: string) =>
    text === '' ? [] : text.split(':').map((word) => Number.parseInt(word, 16))
  const [before, after] = [words(left), words(right)]
  const all = [...before, ...Array<number>(8 - before.length - after.length).fill(0), ...after]
  return all.flatMap((word) => [word >> 8, word & 255])
}
