/** Fetches a zone from another server: what changed where that is to be had (RFC 1995), all of it otherwise (RFC 5936). */
import { OPCODE, RCODE, rcodeName, TYPE } from '../wire/dns/codes.ts'
import { DnsMessage } from '../wire/dns/message.ts'
import { encodeMessage } from '../wire/dns/message-writer.ts'
import type { DnsName } from '../wire/dns/name.ts'
import { isNewer } from './serial.ts'
import { soaTimes } from './soa.ts'
import { type LinkPatience, type ServerAddress, TcpLink } from './tcp-link.ts'
import { TransferRecords } from './transfer-records.ts'
import { Zone } from './zone.ts'
import { ZoneError } from './zone-error.ts'

export interface TransferOptions extends LinkPatience {
  readonly origin: DnsName
  readonly from: ServerAddress
  /** What is here already: then only what is newer is fetched. */
  readonly known?: Zone | undefined
  /** A zone may have so many bytes on the wire. */
  readonly bytesMax: number
  /** From 0 to 1: ids of messages are drawn by it. */
  readonly random: () => number
}

export interface Transferred {
  readonly zone: Zone
  readonly isWhole: boolean
  readonly bytes: number
}

/** The zone as it is there now; undefined where what is known is no older. Rejects where that cannot be found out: the reason is for a log. */
export async function transferIn(options: TransferOptions): Promise<Transferred | undefined> {
  const { known } = options
  const link = await TcpLink.connect(options.from, options)
  try {
    if (!known) return await fetchZone(link, options, TYPE.AXFR)
    if (!(await isBehind(link, options, known))) return undefined
    try {
      return await fetchZone(link, options, TYPE.IXFR)
    } catch (error) {
      // Changes that do not fit, or a server that gives none: all of it then, over a connection where nothing is left over.
      if (!(error instanceof ZoneError)) throw error
    }
  } finally {
    link.close()
  }
  const again = await TcpLink.connect(options.from, options)
  try {
    return await fetchZone(again, options, TYPE.AXFR)
  } finally {
    again.close()
  }
}

async function isBehind(link: TcpLink, options: TransferOptions, known: Zone): Promise<boolean> {
  const query = queryFor(options, TYPE.SOA)
  link.send(encodeMessage(query))
  const message = checked(await link.next(), query, 0)
  const soa = message.answer.find(({ type, name }) => type === TYPE.SOA && name.equals(options.origin))
  const times = soa && soaTimes(soa.rdata)
  if (!times) throw new Error(`it has no SOA record for ${options.origin.toString()}`)
  return isNewer(times.serial, known.serial)
}

async function fetchZone(
  link: TcpLink,
  options: TransferOptions,
  type: number,
): Promise<Transferred | undefined> {
  const { origin, bytesMax } = options
  const known = type === TYPE.IXFR ? options.known : undefined
  const query = queryFor(options, type)
  if (known) query.authority.push(known.soa)
  link.send(encodeMessage(query))
  const records = new TransferRecords(origin, known)
  let bytes = 0
  for (let messages = 0; !records.end; messages++) {
    const frame = await link.next()
    bytes += frame.length
    if (bytes > bytesMax) throw new Error(`it sends more than ${bytesMax} bytes`)
    const message = checked(frame, query, messages)
    if (message.answer.length === 0) throw new ZoneError('a message of the transfer is empty')
    for (const record of message.answer) records.take(record)
    records.endOfMessage()
  }
  const { end } = records
  if (end.kind === 'current') return undefined
  const builder = end.kind === 'whole' ? end.builder : await end.changes.appliedTo(options.known!)
  return { zone: new Zone(builder.finish()), isWhole: end.kind === 'whole', bytes }
}

function queryFor({ origin, random }: TransferOptions, type: number): DnsMessage {
  const query = new DnsMessage()
  query.id = Math.floor(random() * 0x1_0000)
  query.question.push({ name: origin, type, class: 1 })
  return query
}

/** The message, where it is an answer to the query. The first one repeats the question; those behind it may leave it out. */
function checked(bytes: Buffer, query: DnsMessage, index: number): DnsMessage {
  const message = DnsMessage.decode(bytes)
  const [asked] = query.question
  const [repeated] = message.question
  if (!message.isResponse || message.id !== query.id || message.opcode !== OPCODE.QUERY)
    throw new Error('it sent what is no answer to the question')
  if (message.rcode !== RCODE.NOERROR) {
    const text = `it answers ${rcodeName(message.rcode)}`
    // To a question for changes, there may be a better one.
    throw asked!.type === TYPE.IXFR ? new ZoneError(text) : new Error(text)
  }
  if (message.isTruncated) throw new Error('it truncates an answer over TCP')
  if (repeated ? !repeated.name.equals(asked!.name) || repeated.type !== asked!.type : index === 0)
    throw new Error('it answers another question')
  return message
}
