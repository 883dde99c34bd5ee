/** A query as the server has it: the message, whoever asked, and what plugins note on the way. */
import { type IpAddress, parseIp } from '../base/ip-address.ts'
import type { DnsQuery, DnsTransport } from '../contract/dns.ts'
import type { DnsSignature } from '../contract/dns-signature.ts'
import { CLASS, className, EXTENDED_ERROR, type ExtendedError, RCODE, typeName } from '../wire/dns/codes.ts'
import type { Edns } from '../wire/dns/edns.ts'
import { DnsMessage, MESSAGE_BYTES_MAX } from '../wire/dns/message.ts'
import { encodeMessage } from '../wire/dns/message-writer.ts'
import { DnsName } from '../wire/dns/name.ts'

/** Whoever asked. Texts are made when they are asked for: most queries are answered without. */
export interface DnsPeer {
  readonly transport: DnsTransport
  readonly isUdp: boolean
  /** The label `server` of metrics: `dns://:53`. */
  readonly server?: string
  ip(): string
  /** The address as words, where they are known without its text. */
  address?(): IpAddress
  port(): number
  localIp(): string
  localPort(): number
  /** It proved that it has its address: over TCP, or by a cookie. */
  readonly isProven: boolean
  /** The query as it came, where that lies in memory that is used again: it has a copy from `keep` on. */
  readonly bytes?: Buffer
}

/** What is asked, read from the message in front of all else. */
export interface Asked {
  readonly id: number
  readonly opcode: number
  readonly isRecursionDesired: boolean
  readonly isCheckingDisabled: boolean
  readonly isAuthenticWanted?: boolean
  /** It has EDNS alone: a cookie is wanted (RFC 7873 §5.4). */
  readonly isWithoutQuestion?: boolean
  readonly name: DnsName
  readonly type: number
  readonly class: number
  readonly edns: Edns | undefined
}

/** The server itself, where it asks its own chain. */
export const OURSELVES: DnsPeer = {
  transport: 'dns',
  // Small questions: those that are forwarded need no connection.
  isUdp: true,
  ip: () => '127.0.0.1',
  port: () => 0,
  localIp: () => '127.0.0.1',
  localPort: () => 0,
  isProven: true,
}

/** What is noted on a query and on those made of it. */
export interface QueryNotes {
  answeredBy: string
  explanations: { readonly error: ExtendedError; readonly text: string }[]
  metadata: Map<string, () => string>
  isForClientAlone: boolean
  signature: DnsSignature | undefined
}

/** The least that all take over UDP (RFC 1035 §4.2.1). */
const UDP_SIZE_MIN = 512
/** What we say that we take: no fragments on any path (RFC 9715 §3.1). */
export const OUR_UDP_SIZE = 1232

/** A question of the server itself. */
export function ownQuery(name: DnsName, type: number, nowMs: number): ServerQuery {
  const message = new DnsMessage()
  message.isRecursionDesired = true
  message.question.push({ name, type, class: CLASS.IN })
  const asked = { id: 0, opcode: 0, isRecursionDesired: true, isCheckingDisabled: false, edns: undefined }
  return new ServerQuery({ ...asked, name, type, class: CLASS.IN }, OURSELVES, encodeMessage(message), nowMs)
}

const NO_METADATA: Map<string, () => string> = new Map()
const NO_EXPLANATIONS: QueryNotes['explanations'] = []

/** Counts a query when its answer was written: for the server that sends it. */
export interface QueryCounts {
  /** `responseBytes` is what is sent; `rcode` as it is in there. */
  answered(query: ServerQuery, rcode: number, responseBytes: number): void
}

/** Whether a client may be sent so much who may not have asked. */
export interface AmplificationBound {
  allows(query: ServerQuery, answerBytes: number): boolean
}

export class ServerQuery implements DnsQuery {
  readonly asked: Asked
  readonly peer: DnsPeer
  readonly #bytes: Buffer
  readonly qname: DnsName
  readonly qtype: number
  readonly qclass: number
  readonly startedMs: number
  /** Every answer says who answered, as an extended error: the server block has `debug`. */
  explainsAll = false
  depth = 0
  zone: DnsName = DnsName.ROOT
  view = ''
  /** Lowered by what a server allows (`bufsize`). */
  sizeMax = MESSAGE_BYTES_MAX
  notes: QueryNotes
  /** Set with the zone, where its server block has bounds of its own for what is sent over UDP. */
  amplification: AmplificationBound | undefined
  /** Set with the zone, where its server block counts. The server calls it once it has the answer's bytes. */
  counts: QueryCounts | undefined
  #message: DnsMessage | undefined
  #name: string | undefined

  constructor(asked: Asked, peer: DnsPeer, bytes: Buffer, startedMs: number, notes?: QueryNotes) {
    this.asked = asked
    this.peer = peer
    this.#bytes = bytes
    this.qname = asked.name
    this.qtype = asked.type
    this.qclass = asked.class
    this.startedMs = startedMs
    this.notes = notes ?? {
      answeredBy: '',
      explanations: NO_EXPLANATIONS,
      metadata: NO_METADATA,
      isForClientAlone: false,
      signature: undefined,
    }
  }

  get message(): DnsMessage {
    // Options and records lie in the bytes that they were read from, and a packet's memory is another packet's once this turn is over.
    return (this.#message ??= DnsMessage.decode(this.peer.bytes ? Buffer.from(this.peer.bytes) : this.#bytes))
  }

  get bytes(): Buffer {
    return this.peer.bytes ?? this.#bytes
  }

  /** Whoever asks may not be who he says: others may be sent what is answered. */
  get mayBeForged(): boolean {
    return this.peer.isUdp && !this.peer.isProven
  }

  get opcode(): number {
    return this.asked.opcode
  }

  name(): string {
    return (this.#name ??= new DnsName(this.qname.key, this.qname.key).toString())
  }

  type(): string {
    return typeName(this.qtype)
  }

  class(): string {
    return className(this.qclass)
  }

  get edns(): Edns | undefined {
    return this.asked.edns
  }

  get server(): string {
    return this.peer.server ?? ''
  }

  ip(): string {
    return this.peer.ip()
  }

  address(): IpAddress {
    return this.peer.address?.() ?? parseIp(this.peer.ip())!
  }

  /** Four or sixteen bytes. */
  addressBytes(): Buffer {
    const { family, words } = this.address()
    const bytes = Buffer.alloc(family === 4 ? 4 : 16)
    if (family === 4) bytes.writeUInt32BE(words[3] >>> 0)
    else words.forEach((word, index) => bytes.writeUInt32BE(word >>> 0, 4 * index))
    return bytes
  }

  port(): number {
    return this.peer.port()
  }

  localIp(): string {
    return this.peer.localIp()
  }

  localPort(): number {
    return this.peer.localPort()
  }

  proto(): 'udp' | 'tcp' {
    return this.peer.isUdp ? 'udp' : 'tcp'
  }

  get transport(): DnsTransport {
    return this.peer.transport
  }

  family(): 1 | 2 {
    return this.peer.ip().includes(':') ? 2 : 1
  }

  do(): boolean {
    return this.asked.edns?.isDo ?? false
  }

  get isRecursionDesired(): boolean {
    return this.asked.isRecursionDesired
  }

  get isCheckingDisabled(): boolean {
    return this.asked.isCheckingDisabled
  }

  get isAuthenticWanted(): boolean {
    return this.asked.isAuthenticWanted ?? false
  }

  size(): number {
    if (!this.peer.isUdp) return MESSAGE_BYTES_MAX
    const said = this.asked.edns?.udpSize ?? UDP_SIZE_MIN
    return Math.max(UDP_SIZE_MIN, Math.min(said, this.sizeMax))
  }

  sizeAndDo(answer: DnsMessage): boolean {
    const { edns } = this.asked
    if (!edns) answer.edns = undefined
    else if (answer.edns) Object.assign(answer.edns, { udpSize: OUR_UDP_SIZE, version: 0, isDo: edns.isDo })
    else answer.edns = { udpSize: OUR_UDP_SIZE, version: 0, isDo: edns.isDo, options: [] }
    return answer.edns !== undefined
  }

  scrub(answer: DnsMessage): DnsMessage {
    const bytes = encodeMessage(answer, this.size())
    const written = DnsMessage.decode(bytes)
    return written.isTruncated === answer.isTruncated &&
      written.additional.length === answer.additional.length
      ? answer
      : written
  }

  reply(rcode: number = RCODE.NOERROR): DnsMessage {
    const answer = new DnsMessage()
    const { asked } = this
    answer.id = asked.id
    answer.isResponse = true
    answer.opcode = asked.opcode
    answer.isRecursionDesired = asked.isRecursionDesired
    answer.isCheckingDisabled = asked.isCheckingDisabled
    answer.rcode = rcode
    answer.question.push({ name: this.qname, type: this.qtype, class: this.qclass })
    if (asked.edns) answer.edns = { udpSize: OUR_UDP_SIZE, version: 0, isDo: asked.edns.isDo, options: [] }
    return answer
  }

  with(change: {
    readonly name?: DnsName
    readonly type?: number
    readonly class?: number
    readonly message?: DnsMessage
    readonly depth?: number
  }): ServerQuery {
    const { name = this.qname, type = this.qtype, class: klass = this.qclass, message } = change
    const edns = message ? message.edns : this.asked.edns
    const asked = { ...this.asked, name, type, class: klass, edns }
    const changed = new ServerQuery(asked, this.peer, this.bytes, this.startedMs, this.notes)
    changed.zone = this.zone
    changed.depth = change.depth ?? this.depth
    changed.view = this.view
    changed.sizeMax = this.sizeMax
    changed.explainsAll = this.explainsAll
    changed.#message = message ?? this.message.copy()
    changed.#message.question = [{ name, type, class: klass }]
    return changed
  }

  detached(): ServerQuery {
    const { peer } = this
    const [ip, port, localIp, localPort] = [peer.ip(), peer.port(), peer.localIp(), peer.localPort()]
    const { transport, isUdp, server, isProven } = peer
    const { edns } = this.asked
    // What stands in options may lie in the packet, too.
    const kept = edns && {
      ...edns,
      options: edns.options.map(({ code, data }) => ({ code, data: Buffer.from(data) })),
    }
    const detached = new ServerQuery(
      { ...this.asked, edns: kept },
      {
        transport,
        isUdp,
        ...(server !== undefined && { server }),
        isProven,
        ip: () => ip,
        port: () => port,
        localIp: () => localIp,
        localPort: () => localPort,
      },
      Buffer.from(this.bytes),
      this.startedMs,
    )
    detached.zone = this.zone
    detached.depth = this.depth
    detached.view = this.view
    detached.sizeMax = this.sizeMax
    // One that was changed on its way is not what its bytes say.
    detached.#message = this.#message?.copy()
    return detached
  }

  explain(error: ExtendedError, text: string): void {
    if (this.notes.explanations === NO_EXPLANATIONS) this.notes.explanations = []
    // A plugin from outside may say what is none: an answer is not to fail by that.
    this.notes.explanations.push({ error: error in EXTENDED_ERROR ? error : 'other', text: String(text) })
  }

  get explanations(): QueryNotes['explanations'] {
    return this.notes.explanations
  }

  get answeredBy(): string {
    return this.notes.answeredBy
  }

  set answeredBy(plugin: string) {
    this.notes.answeredBy = plugin
  }

  get isForClientAlone(): boolean {
    return this.notes.isForClientAlone
  }

  set isForClientAlone(is: boolean) {
    this.notes.isForClientAlone = is
  }

  get signature(): DnsSignature | undefined {
    return this.notes.signature
  }

  set signature(signature: DnsSignature | undefined) {
    this.notes.signature = signature
  }

  get metadata(): Map<string, () => string> {
    return this.notes.metadata
  }

  get isAddressProven(): boolean {
    return this.peer.isProven
  }
}
