/**
 * Plugins of the DNS plane: what one is, what it is given, and what it may answer.
 *
 * A plugin is a name and a `setup`, which reads the plugin's lines in a server block of the Corefile once and returns the handler that stands in the
 * chain of that block (or nothing, where the plugin only sets something). Those built in and those from outside use the same contract.
 */
import type { CidrSet } from '../base/cidr.ts'
import type { IpAddress } from '../base/ip-address.ts'
import type { ExtendedError } from '../wire/dns/codes.ts'
import type { Edns } from '../wire/dns/edns.ts'
import type { DnsMessage } from '../wire/dns/message.ts'
import type { DnsName } from '../wire/dns/name.ts'
import type { DnsRecord } from '../wire/dns/record.ts'
import type { DnsMetrics } from './dns-metrics.ts'
import type { DnsSignature } from './dns-signature.ts'
import type { DnsSteering } from './dns-steering.ts'

export type {
  DnsCounter,
  DnsCount,
  DnsGauge,
  DnsHistogram,
  DnsObservations,
  DnsMetrics,
} from './dns-metrics.ts'
export type { DnsSteering, DnsSteeringExplanation, DnsSteeredNode } from './dns-steering.ts'

/** Of the codes that an answer may have, those that mean that nothing was written. */
export const NOTHING_WRITTEN = { FORMERR: 1, SERVFAIL: 2, NOTIMP: 4, REFUSED: 5 } as const
export type NothingWritten = (typeof NOTHING_WRITTEN)[keyof typeof NOTHING_WRITTEN]

/** Nothing is sent at all, as for a client that is not to learn that somebody is here. Over TCP the connection ends. */
export const DROPPED = -1

/**
 * What came of a query. A message: that is the answer, whatever its rcode. A number: FORMERR, SERVFAIL, NOTIMP or REFUSED, nothing was
 * written, and whoever is in front may still answer; in the end the server answers with that code alone. `DROPPED`: no answer.
 *
 * Anything else that a handler returns, and whatever it throws, counts as SERVFAIL, and is logged with the plugin's name.
 */
export type DnsOutcome = DnsMessage | DnsStream | NothingWritten | typeof DROPPED

/**
 * An answer of several messages, for a transfer (RFC 5936 §2.2): only over TCP. Each is asked for when the connection has taken the one before, and `return`
 * of the iterator is called where the client went away. Who has nothing to do with transfers hands it on as it is.
 */
export class DnsStream {
  readonly messages: AsyncIterable<DnsMessage> | Iterable<DnsMessage>

  constructor(messages: AsyncIterable<DnsMessage> | Iterable<DnsMessage>) {
    this.messages = messages
  }
}

/**
 * Answers a query, or lets the next one of the chain answer, or changes what that one says.
 *
 * A handler feels every effect of those behind it and knows nothing of those in front of it. It is called for each query whose zone its server block
 * has; several queries may be on their way at once. Copy a message before changing it (`message.copy()`): a cache may hold the same one.
 * An answer that takes longer than ten seconds is SERVFAIL.
 */
export interface DnsHandler {
  handle(query: DnsQuery, next: DnsNext): DnsOutcome | Promise<DnsOutcome>
}

/** Asks the rest of the chain, with the same query or another one made by `query.with`. Behind the last plugin stands REFUSED. */
export type DnsNext = (query: DnsQuery) => DnsOutcome | Promise<DnsOutcome>

export type DnsProtocol = 'udp' | 'tcp'
export type DnsTransport = 'dns' | 'tls' | 'https'

/** A query on its way through a chain: what was asked, by whom, and what plugins noted about it. */
export interface DnsQuery {
  /** The message as it came, read whole when it is first asked for. */
  readonly message: DnsMessage
  /** The bytes as they came: for signatures over them. */
  readonly bytes: Buffer
  /** What is asked for: the case is as the client wrote it. */
  readonly qname: DnsName
  readonly qtype: number
  readonly qclass: number
  /** QUERY, NOTIFY… as `OPCODE` has them. */
  readonly opcode: number
  /** Zero for what a client asked; one more for each `lookup` of a plugin on the way to it. */
  readonly depth: number
  /** The name in lower case, as text with the dot at the end: `www.example.org.` */
  name(): string
  /** The type as text: `A`, or `TYPE65280` where it has no name. */
  type(): string
  class(): string
  /** What the query's OPT record says; undefined without one. Not to be changed. */
  readonly edns: Edns | undefined
  /** Address of whoever asked, without a port: `192.0.2.1`, `2001:db8::1`. */
  ip(): string
  /** The same as words, to be looked up in tables. */
  address(): IpAddress
  port(): number
  localIp(): string
  localPort(): number
  /** `udp`, or `tcp` for all else, as CoreDNS has it. */
  proto(): DnsProtocol
  readonly transport: DnsTransport
  /** Where it came in, as the label `server` of metrics has it: `dns://:53`. */
  readonly server: string
  /** 1 for IPv4, 2 for IPv6. */
  family(): 1 | 2
  /** Whether records of DNSSEC are wanted. */
  do(): boolean
  /** The most that `size()` may be over UDP, whatever the client says: lowered by `bufsize`, never raised. */
  sizeMax: number
  /** RD: somebody is to ask on where we do not know. */
  readonly isRecursionDesired: boolean
  /** CD: what does not hold against its signatures is wanted all the same. */
  readonly isCheckingDisabled: boolean
  /** AD in a question: who asked wants to be told whether the answer was checked (RFC 6840 §5.7). */
  readonly isAuthenticWanted: boolean
  /** Bytes that an answer may have: 65,535 over TCP; over UDP what the client says, at least 512. */
  size(): number
  /**
   * Gives an answer the OPT record that goes with the question's: none where that had none, and DO as the client said it. True where the answer has one
   * now.
   */
  sizeAndDo(answer: DnsMessage): boolean
  /** The answer as it fits into `size()`: itself, or a copy without what does not fit, with TC set. The server does it by itself. */
  scrub(answer: DnsMessage): DnsMessage
  /** An empty answer: the question, id, opcode and RD of the query, NOERROR, and OPT where the query has one. */
  reply(rcode?: number): DnsMessage
  /** The same query with another name or type, asked by the same client. What is noted on it (`explain`, `metadata`) is shared. */
  with(change: {
    readonly name?: DnsName
    readonly type?: number
    readonly class?: number
    readonly message?: DnsMessage
    readonly depth?: number
  }): DnsQuery
  /**
   * The same query, to be asked on its own after this one was answered: with bytes and addresses of its own, as those of a client's packet are used
   * again, and with notes of its own.
   */
  detached(): DnsQuery
  /** Zone of the server block that answers. */
  readonly zone: DnsName
  /** Name of the view that was chosen; empty without one. */
  readonly view: string
  /** What is added to the answer as an extended error (RFC 8914) where the client speaks EDNS, and to its line in the log. */
  explain(error: ExtendedError, text: string): void
  readonly explanations: readonly { readonly error: ExtendedError; readonly text: string }[]
  /** The plugin whose handler was the last to be asked: it answered. For a unit, `unit/NAME`. */
  answeredBy: string
  /** What plugins tell of the query, by label (`geoip/country/code`), worked out when it is asked for. Empty without the plugin `metadata`. */
  readonly metadata: Map<string, () => string>
  /** True once a plugin answered by who asks (`edge`, `view`, a unit): a cache in front does not keep such an answer. */
  isForClientAlone: boolean
  /** Set by `tsig`: the server has it sign whatever it sends in answer, an error too. */
  signature: DnsSignature | undefined
  /** Milliseconds of the machine's steady clock at which the query came. */
  readonly startedMs: number
  /** Whether the client proved its address: over TCP, or by a cookie (RFC 7873). */
  readonly isAddressProven: boolean
}

/** A word of a Corefile, and where it stands. */
export interface CorefileWord {
  readonly text: string
  readonly file: string
  readonly line: number
  /** It stood in quotes: then it is no comment, no brace, and may be empty. */
  readonly isQuoted: boolean
}

/** A line of a Corefile, `name args… { block }`. */
export interface CorefileLine {
  readonly name: CorefileWord
  readonly args: readonly CorefileWord[]
  /** The lines between the braces; undefined without braces. */
  readonly block?: readonly CorefileLine[]
}

export interface DnsLog {
  /** Silent unless the server block has `debug`. */
  debug(text: string): void
  info(text: string): void
  warn(text: string): void
  error(text: string): void
}

/** What a server block is set to by its plugins, for the server and for each other. Later ones see what earlier ones set. */
export interface DnsSettings {
  /** Folder that paths are relative to. */
  root: string
  isDebug: boolean
  /** Addresses to listen on, instead of all. */
  bind: string[]
  /** A server block answers only queries that all of these hold for. */
  readonly filters: ((query: DnsQuery) => boolean)[]
  view: string
  /** Certificate and key of `tls://` and `https://`, as paths of PEM files. */
  tls: DnsTls | undefined
  timeouts: { readMs: number; writeMs: number; idleMs: number }
  /** Set by `ratelimit`: how much clients are sent over UDP who may not have asked. Undefined: as the server has it. */
  amplification: DnsAmplification | undefined
  /** By lower-cased key of the name: secrets that messages are signed with (RFC 8945). */
  readonly tsigSecrets: Map<string, Buffer>
  /** Plugins told of queries before the chain runs, in the order of the chain; only those within `metadataZones`. */
  readonly metadataProviders: ((query: DnsQuery) => void)[]
  /** Set by `metadata`: queries for names within these have metadata. Undefined without that plugin. */
  metadataZones: readonly DnsName[] | undefined
  /** Set by `errors`: what a handler threw is logged with its stack. Always so with `debug`. */
  hasStacktraces: boolean
  /** Queries of this server block are counted by zone, type and the like (`prometheus`). */
  isCounted: boolean
  /** The Corefile is looked at every so often, and read again where it changed (`reload`). One block with it is enough. */
  reload: { readonly everyMs: number; readonly jitterMs: number } | undefined
}

/** What a network may be sent over UDP beyond what it asked with. */
export interface DnsAmplification {
  /** Infinity: no bound. */
  readonly bytesPerSecond: number
  /** Bits of an address that are a network. */
  readonly prefixes: { readonly v4: number; readonly v6: number }
  /** Clients for which there is no bound. */
  readonly exempt: CidrSet
}

export interface DnsTls {
  readonly cert: string
  readonly key: string
  readonly ca?: string
  readonly clientAuth: 'nocert' | 'request' | 'require' | 'verify_if_given' | 'require_and_verify'
}

/** Where a server block listens. */
export interface DnsListener {
  readonly transport: DnsTransport
  readonly port: number
}

/** Given to `setup` of a plugin, once a server block that names it. */
export interface DnsController {
  /** Name of the plugin, as the Corefile has it. */
  readonly plugin: string
  /** Each line of the block that names the plugin, in order: most plugins take one, some take many. */
  readonly lines: readonly CorefileLine[]
  /** Zones of the server block. */
  readonly zones: readonly DnsName[]
  readonly listeners: readonly DnsListener[]
  readonly settings: DnsSettings
  readonly log: DnsLog
  readonly metrics: DnsMetrics
  /** What the process around can do: run units, count in limits, name edges. */
  readonly host: DnsHost
  /** Ends the setup: throws an error with file and line, what is wrong, and what would be right. */
  fail(where: CorefileWord | CorefileLine, text: string): never
  /** A path as the Corefile means it: relative to `root`. */
  path(text: string): string
  /**
   * Zones as an argument names them: names, `10.0.0.0/24` as reverse zones. Without any, those of the server block.
   */
  zonesOf(args: readonly CorefileWord[]): DnsName[]
  /**
   * Asks the chain of the server block itself, as if the client had asked: for what a CNAME points to. Undefined where nobody answers, and where a lookup led
   * to a lookup too many times.
   */
  lookup(query: DnsQuery, name: DnsName, type: number): Promise<DnsMessage | undefined>
  /** Asks the chain of the server block on the server's own behalf, from its first plugin on. Undefined where nobody answers. */
  ask(name: DnsName, type: number): Promise<DnsMessage | undefined>
  /** Run when all blocks were set up without an error, before the first query. A rejection ends the start, or leaves the former Corefile in force. */
  onStart(start: () => void | Promise<void>): void
  /** `ready` answers 200 when all of these have been true once. */
  onReady(isReady: () => boolean): void
  /** What `onReady` was called with, in all server blocks of the Corefile, once `onStart` runs. */
  readiness(): readonly DnsReadiness[]
  /** Run when the server is to end, while it still serves: it goes on serving until all of these are done (`health` with `lameduck`). */
  onEnding(wait: () => void | Promise<void>): void
  /** Run when the server ends and when another Corefile took the place of this one: the blocks of that one have been started by then. */
  onShutdown(stop: () => void | Promise<void>): void
  /** Offers something to other plugins of the same server block under a name, such as a zone for `transfer`. */
  offer<K extends keyof DnsOffers>(kind: K, what: DnsOffers[K]): void
  /** All that was offered, once `onStart` runs. */
  offers<K extends keyof DnsOffers>(kind: K): readonly DnsOffers[K][]
}

/** A plugin that is ready when it says so. */
export interface DnsReadiness {
  readonly plugin: string
  readonly isReady: () => boolean
}

/** What plugins offer each other within a server block, or the plane. */
export interface DnsOffers {
  /** Whoever sends clients to edges: asked by the admin API. */
  steering: DnsSteering
  /** Whoever has zones whole: for `transfer`. */
  zones: DnsZoneSource
  /** Told of zones that changed: `transfer` sends NOTIFY. */
  notify: (zone: DnsName) => void
}

/** A plugin that has zones, and can give one whole. */
export interface DnsZoneSource {
  /**
   * The records of a zone, SOA first and not again at the end; undefined where it has no such zone. With `sinceSerial`: only the SOA where nothing is
   * newer.
   */
  records(zone: DnsName, sinceSerial?: number): Iterable<DnsRecord> | undefined
  zones(): readonly DnsName[]
}

/** The process in which the DNS plane runs. */
export interface DnsHost {
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Milliseconds that never go back. */
  readonly steadyNow: () => number
  /** From 0 to 1. */
  readonly random: () => number
  /** Where `log` writes its lines; the standard output of the process without one. */
  readonly out?: DnsLogSink
  /** Ends the server, with this as its last word, for what an operator has to put right. In a node, only DNS ends. */
  readonly end?: (why: string) => void
  /**
   * Several processes serve the same Corefile: the first of them, alone, listens where there is one of something, such as the HTTP addresses of `health`,
   * `ready` and `prometheus`. Undefined: there is one process.
   */
  readonly isFirst?: boolean
  /** In a node: runs the units that answer DNS. Undefined for `orla dns` alone. */
  readonly units?: DnsUnits
  /** In a node: the edges that it knows of, with what they said last. */
  readonly edges?: () => readonly DnsEdgeState[]
}

/** Takes text in order, and says when it has gone. */
export interface DnsLogSink {
  write(text: string, done: () => void): void
}

/** Runs the `dns` phase of units. */
export interface DnsUnits {
  /** Whether any unit hooks `dns`: without one, the chain goes on at once. */
  readonly isHooked: boolean
  /**
   * The units that match, in their order; the first one that answers answers, and `next` asks the chain behind. `only`: none but those of these
   * names.
   */
  run(query: DnsQuery, next: DnsNext, only?: ReadonlySet<string>): DnsOutcome | Promise<DnsOutcome>
}

/** A kind of plugin. `setup` throws (best by `controller.fail`) where its lines are wrong. */
export interface DnsPlugin {
  readonly name: string
  setup(controller: DnsController): DnsHandler | undefined | void | Promise<DnsHandler | undefined | void>
}

/** What a node is known to be, from its own heartbeat. */
export interface DnsEdgeState {
  readonly name: string
  readonly groups: readonly string[]
  readonly isConnected: boolean
  /** Milliseconds since 1970 of its last word. */
  readonly seenAt: number
  /** From 0 to 1: how busy its processors are. */
  readonly load: number | undefined
  readonly isDraining: boolean
}
