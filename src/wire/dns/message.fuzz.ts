/** Messages, whole and damaged: what is read of them is written again and read as the same, and nothing but `DnsMalformed` is thrown. */
import { seededRandom } from '../http1/fuzz/random.ts'
import { TYPE } from './codes.ts'
import { DnsMalformed } from './malformed.ts'
import { parseRecord } from './master-file.ts'
import { DnsMessage } from './message.ts'
import { encodeMessage } from './message-writer.ts'
import { DnsName } from './name.ts'
import { fieldsOf } from './rdata/rdata-table.ts'
import { parseRdata, recordText } from './rdata-text.ts'
import { DnsRecord } from './record.ts'

type Random = (below: number) => number

const OWNERS = [
  'example.org',
  'www.example.org',
  'WWW.Example.ORG',
  'a.b.c.example.org',
  '.',
  '*.org',
  '\\003a\\.b.org',
  'x'.repeat(63),
]
const DATA: readonly (readonly [type: number, text: string])[] = [
  [TYPE.A, '192.0.2.1'],
  [TYPE.AAAA, '2001:db8::1'],
  [TYPE.NS, 'ns.example.org.'],
  [TYPE.CNAME, 'www.example.org.'],
  [TYPE.MX, '10 mail.Example.org.'],
  [TYPE.SOA, 'ns.example.org. hostmaster.example.org. 1 2 3 4 5'],
  [TYPE.SRV, '1 2 3 www.example.org.'],
  [TYPE.TXT, '"hello" "world"'],
  [TYPE.HTTPS, '1 . alpn=h2 ipv4hint=192.0.2.1'],
  [TYPE.RRSIG, 'A 13 3 3600 20380119031407 19700101000001 4711 example.org. AAECAw=='],
  [TYPE.NSEC, 'host.example.org. A MX RRSIG NSEC'],
  [TYPE.NSEC3, '1 1 12 AABBCCDD 2T7B4G4VSA5SMI47K61MV5BV1A22BOJR A RRSIG'],
  [TYPE.NAPTR, '100 50 "s" "x" "" _z._tcp.example.org.'],
  [TYPE.CAA, '0 issue "ca"'],
  [TYPE.LOC, '52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000.00m 10.00m'],
  [65_280, '\\# 2 0001'],
]

/** A message as it may come: two thirds of them are damaged. */
export function makeMessage(random: Random): Buffer {
  const message = new DnsMessage()
  message.id = random(65_536)
  // An opcode but QUERY lays out its sections in its own way.
  message.flags = random(65_536) & 0x87ff
  const owner = () => DnsName.parse(OWNERS[random(OWNERS.length)]!)
  for (let left = random(8) === 0 ? random(3) : 1; left > 0; left--)
    message.question.push({ name: owner(), type: random(300), class: 1 })
  for (const section of [message.answer, message.authority, message.additional])
    for (let left = random(5); left > 0; left--) {
      const [type, text] = DATA[random(DATA.length)]!
      section.push(new DnsRecord(owner(), type, random(2 ** 31), parseRdata(type, text)))
    }
  if (random(2) === 0)
    message.edns = {
      udpSize: random(65_536),
      version: 0,
      isDo: random(2) === 0,
      options: [{ code: random(20), data: Buffer.alloc(random(9)) }],
    }
  const bytes = encodeMessage(message)
  if (random(3) === 0) return bytes
  for (let left = 1 + random(4); left > 0; left--) {
    const at = random(bytes.length)
    bytes[at] = random(3) === 0 ? 0xc0 : random(256)
  }
  return random(4) === 0 ? bytes.subarray(0, random(bytes.length)) : bytes
}

/** What is wrong with how one message is read; undefined where nothing is. */
export function faultOf(bytes: Buffer): string | undefined {
  let message: DnsMessage
  try {
    message = DnsMessage.decode(bytes)
  } catch (error) {
    return error instanceof DnsMalformed ? undefined : `decode threw ${String(error)}`
  }
  const again = DnsMessage.decode(encodeMessage(message))
  if (told(again) !== told(message)) return `read ${told(message)}, then ${told(again)}`
  for (const record of [...message.answer, ...message.authority, ...message.additional]) {
    const text = recordText(record)
    // ANY is a class and a type. And data that is malformed for its type is shown, and no text is taken for it.
    if (record.class === 255 || record.type === TYPE.ANY || (fieldsOf(record.type) && text.includes(' \\# ')))
      continue
    let parsed: DnsRecord
    try {
      parsed = parseRecord(text)
    } catch (error) {
      return `${text} is not read: ${String(error)}`
    }
    if (
      // Sizes in LOC have several ways to be nothing.
      (!parsed.rdata.equals(record.rdata) && record.type !== TYPE.LOC) ||
      parsed.name.wire !== record.name.wire ||
      parsed.type !== record.type
    )
      return `${text} is read as ${recordText(parsed)}`
  }
  return undefined
}

/** In lower case: a name that points at another one takes its case. */
const told = (message: DnsMessage): string =>
  JSON.stringify([
    message.id,
    message.flags,
    message.question.map(({ name, type, class: klass }) => [name.key, type, klass]),
    [message.answer, message.authority, message.additional].map((section) =>
      section.map((record) => recordText(record).toLowerCase()),
    ),
    message.edns,
  ])

/** Findings with their seeds. */
export function fuzzMessages(seed: number, rounds: number): string[] {
  const findings: string[] = []
  for (let round = 0; round < rounds; round++) {
    const bytes = makeMessage(seededRandom((seed + round) >>> 0).below)
    const fault = faultOf(bytes)
    if (fault !== undefined) findings.push(`seed ${seed + round}: ${fault} (${bytes.toString('hex')})`)
  }
  return findings
}
