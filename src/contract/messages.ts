/**
 * What the supervisor and its workers say to each other, over the channel that Node opens between a process and its
 * child (`serialization: 'advanced'`).
 *
 * A change of units goes in two phases: `prepare` to all, `prepared` from all, then the supervisor writes the new epoch
 * into the shared word, which every worker reads at the start of each request. So the node flips at one moment.
 */
import type { HistogramCounts } from '../base/histogram.ts'
import type { BanChange, BanOutcome, BanRequest, BanSet } from './bans.ts'
import type { CacheExplanation, CacheReading } from './cache-reading.ts'
import type { DnsEdgeState, DnsSteeringExplanation } from './dns.ts'
import type { OriginState } from './origin.ts'
import type { LimitTop, ServedLimit } from './limits.ts'
import type { CallTrace } from './host-calls.ts'
import type { KvBatch, KvResult, KvStoreName } from './kv.ts'
import type { NumberedPurge, Purge, PurgeScope } from './purge.ts'
import type { TelemetrySettings } from './telemetry.ts'
import type { TlsMaterial } from './tls.ts'
import type { LiveRollout, ShadowExample } from './rollout.ts'
import type { FailureReason, UnitVersion } from './unit.ts'
import type { TestReport, TryOutcome } from './unit-runner.ts'
import type { Config, SiteConfig } from '../config/schema.ts'

/** What of the configuration changes while the node runs, beside the units and at the same moment. */
export interface Served {
  readonly sites: readonly SiteConfig[]
  readonly limits: Config['edge']['limits']
  /** Limits of requests, over all sites and of each. Absent: there are none. */
  readonly limiters?: readonly ServedLimit[] | undefined
  /** Tables about networks. */
  readonly geo?: Config['geo'] | undefined
  readonly debugToken?: string | undefined
  /** Absent: no DNS. */
  readonly dns?: ServedDns | undefined
  /** Absent: as the configuration has it that the worker started with. */
  readonly edge?: LiveEdgeConfig | undefined
  /** Where the Redis of units leads that follow a source. Absent: as with `edge`. */
  readonly sources?: Config['sources'] | undefined
}

/** The Corefile that all workers serve, and where else queries come in. */
export interface ServedDns {
  /** Another number with each reload: files that it names may have changed. */
  readonly revision: number
  /** 16 bytes, the same for all workers: what cookies of the DNS are made with (RFC 7873). */
  readonly cookieSecret: Uint8Array
  readonly corefile: { readonly text: string; readonly file: string; readonly folder: string }
  readonly doh?: { readonly path: string; readonly hosts: ReadonlySet<string> } | undefined
}

/** What of `edge` needs no process or socket of its own; of `listen`, what is said of the requests that come in there. */
export type LiveEdgeConfig = Pick<
  Config['edge'],
  'listen' | 'accessLog' | 'trustedProxies' | 'forwardedFrom' | 'requestId' | 'trace' | 'fetch'
>

/**
 * The units that are live together. `lastGood` holds the versions that `onError: "lastGood"` falls back to, by name; for a version that is
 * being rolled out by `NAME@VERSION`.
 * `enabled` is false while `disable --all` is in force: then no unit runs at all.
 */
export interface UnitSet {
  readonly epoch: number
  readonly enabled: boolean
  readonly units: readonly UnitVersion[]
  readonly lastGood: Readonly<Record<string, UnitVersion>>
  /** Newer versions on their way, by the name of their unit; see `lastGoodOf` for what they fall back to. */
  readonly rollouts?: Readonly<Record<string, LiveRollout>>
  /** The sites that go live with them. Absent for a receiver that serves with the same ones already. */
  readonly served?: Served | undefined
}

/** A version whose receiver holds it already: one that is live. */
export interface HeldVersion {
  readonly name: string
  readonly version: number
  readonly edition?: string
  readonly shadow?: NonNullable<UnitVersion['shadow']>
}

/** A set for a worker, without the code of what is live: see `unit/abridged-set.ts`. */
export interface AbridgedSet extends Omit<UnitSet, 'units' | 'lastGood' | 'rollouts'> {
  readonly units: readonly (UnitVersion | HeldVersion)[]
  readonly lastGood: Readonly<Record<string, UnitVersion | HeldVersion>>
  readonly rollouts?: Readonly<Record<string, LiveRollout<UnitVersion | HeldVersion>>>
}

/** A unit that is not run until a new version of it comes. */
export interface Quarantine {
  readonly name: string
  readonly version: number
  readonly reason: FailureReason
  readonly at: number
}

export type ToWorker =
  | {
      readonly kind: 'start'
      readonly worker: number
      readonly config: Config
      /** Random, and the same for all workers of a node as long as it runs: by it the node knows what it sent itself. */
      readonly identity: string
      /** For each of `config.edge.listen`, with the port that the system chose where it was 0. */
      readonly addresses: readonly string[]
      /** The descriptors to accept from, and to which of `config.edge.listen` each belongs. */
      readonly sockets: readonly { readonly listener: number; readonly fd: number }[]
      /** Where no listener speaks TLS, and ACME is off, there is none. */
      readonly tls: TlsMaterial | undefined
      /** Where spans go; absent: nowhere. */
      readonly telemetry?: TelemetrySettings | undefined
      readonly units: UnitSet
      readonly quarantined: readonly Quarantine[]
      /** Path of the shared words, of which there is one: the epoch. */
      readonly shared: string
      /** Paths of the bundles that a sandbox runs. */
      readonly bundles: { readonly sandbox: string; readonly guest: string }
      /** Paths of the key/value files, to be read. */
      readonly kv: Readonly<Record<KvStoreName, string>>
      /** Path of the words by which they are known to have changed. */
      readonly kvWords: string
      /** By this number it is known in the memory of limits who holds a lock. */
      readonly limitWorker: number
      /** Path of the table in which workers see what the others have in their caches; absent where there is one worker. */
      readonly siblings?: string | undefined
      /** The keeper of caches on disk, and the folder where they lie unless a site says otherwise. */
      readonly disk: { readonly socket: string; readonly folder: string }
      /** The descriptor of the program's standard output, for access logs that go there. */
      readonly stdout: number
      /** The last purge of caches before it started. */
      readonly purgeNumber: number
      /** Who is kept out from its first connection on; absent: nobody. */
      readonly bans?: BanSet | undefined
      /** How all edges do, for whoever sends clients to them; absent where DNS is not served. */
      readonly edges?: readonly DnsEdgeState[] | undefined
      /** The node serves already: this worker takes the place of another one. */
      readonly isReplacement: boolean
      /** Tell of every request what ran: for `orla dev`. */
      readonly isTracing: boolean
    }
  /** Compile and run the top level of a version that is not live yet, in the spare sandbox. */
  | { readonly kind: 'try'; readonly id: number; readonly unit: UnitVersion }
  /** Run its own tests: a unit as well, in code and source map. */
  | {
      readonly kind: 'test'
      readonly id: number
      readonly unit: UnitVersion
      readonly tests: { readonly code: string; readonly sourceMap: string }
    }
  | { readonly kind: 'prepare'; readonly units: AbridgedSet }
  /** The shared word was flipped to this epoch. */
  | { readonly kind: 'committed'; readonly epoch: number }
  /** A prepared set will not come: forget it. */
  | { readonly kind: 'abort'; readonly epoch: number }
  | { readonly kind: 'quarantine'; readonly quarantined: readonly Quarantine[] }
  /** Certificates, ticket keys or challenges have changed: from the next handshake on, these count. */
  | { readonly kind: 'tls'; readonly id: number; readonly tls: TlsMaterial }
  /** From now on spans go there. */
  | { readonly kind: 'telemetry'; readonly settings: TelemetrySettings | undefined }
  | { readonly kind: 'metrics'; readonly id: number }
  /** How do the endpoints of origins do? */
  | { readonly kind: 'origins'; readonly id: number }
  /** What do the caches hold, and what did they do? With so many of the most wanted objects of each site. */
  | { readonly kind: 'caches'; readonly id: number; readonly top: number }
  /** What would the cache make of a GET of this URL? Headers with names in lower case. */
  | {
      readonly kind: 'explain'
      readonly id: number
      readonly url: string
      readonly headers: readonly string[]
    }
  /** How is a client answered that asks for a steered name? */
  | { readonly kind: 'steer'; readonly id: number; readonly name: string; readonly client: string }
  /** Who asked most of a limit, in the last minutes? */
  | {
      readonly kind: 'limitTop'
      readonly id: number
      readonly site: string
      readonly name: string
      readonly count: number
    }
  /** Send log lines of units (all, or of one name) or stop. Errors of units are always sent. */
  | { readonly kind: 'tail'; readonly on: boolean }
  /** What became of a batch of changes, in its order. */
  | {
      readonly kind: 'kv'
      readonly store: KvStoreName
      readonly id: number
      readonly results: readonly KvResult[]
    }
  /** Open the access logs anew: whoever rotates them has moved them away. */
  | { readonly kind: 'reopen' }
  /** Run the `timer` of a version, and say when it is done. */
  | { readonly kind: 'runTimer'; readonly id: number; readonly name: string; readonly version: number }
  /** Take out of the caches what these mean. `from`: the worker in which it happened, which has done so. */
  | {
      readonly kind: 'purge'
      readonly id: number
      readonly purges: readonly NumberedPurge[]
      readonly from?: number | undefined
    }
  /** What became of a purge that a unit asked for. */
  | { readonly kind: 'unitPurged'; readonly id: number; readonly outcome: UnitPurgeOutcome }
  /** From now on these are kept out, or these too and those no more. Connections of theirs that are open are closed. */
  | { readonly kind: 'bans'; readonly id: number; readonly set: BanSet | BanChange }
  /** What became of a ban that was asked for. */
  | { readonly kind: 'banDone'; readonly id: number; readonly outcome: BanOutcome }
  /** How all edges do, as far as this node knows. */
  | { readonly kind: 'edges'; readonly edges: readonly DnsEdgeState[] }
  | { readonly kind: 'drain' }

/** `objects` of this node. */
export type UnitPurgeOutcome =
  | { readonly objects: number; readonly ms: number }
  | { readonly code: string; readonly message: string }

export type FromWorker =
  /** `dns`: where it answers DNS, as `dns://127.0.0.1:53`. */
  | { readonly kind: 'ready'; readonly dns: readonly string[] }
  /** The worker could not start. */
  | { readonly kind: 'failed'; readonly code: string; readonly message: string }
  | ({ readonly kind: 'tried'; readonly id: number } & TryOutcome)
  | ({ readonly kind: 'tested'; readonly id: number } & TestReport)
  | { readonly kind: 'prepared'; readonly epoch: number; readonly problems: readonly string[] }
  | { readonly kind: 'quarantine'; readonly quarantine: Quarantine }
  /** Handshakes that begin now use it. */
  | { readonly kind: 'tlsUsed'; readonly id: number }
  | { readonly kind: 'metrics'; readonly id: number; readonly samples: readonly MetricSample[] }
  | { readonly kind: 'origins'; readonly id: number; readonly origins: readonly SiteOrigin[] }
  | { readonly kind: 'caches'; readonly id: number; readonly caches: readonly CacheReading[] }
  /** Undefined where no site answers for it. */
  | {
      readonly kind: 'steered'
      readonly id: number
      readonly explanations: readonly DnsSteeringExplanation[]
    }
  | { readonly kind: 'explained'; readonly id: number; readonly explanation: CacheExplanation | undefined }
  /** Undefined where there is no such limit. */
  | { readonly kind: 'limitTop'; readonly id: number; readonly top: readonly LimitTop[] | undefined }
  | { readonly kind: 'tail'; readonly lines: readonly TailLine[]; readonly dropped: number }
  | { readonly kind: 'trace'; readonly trace: RequestTrace }
  /** A request on which a shadow decided otherwise; not all of them. */
  | { readonly kind: 'shadow'; readonly example: ShadowExample }
  /** For the operator: a worker does not write to standard error itself, since a pipe that nobody reads would block it. */
  | { readonly kind: 'log'; readonly warnings: readonly string[]; readonly dropped: number }
  /** The sandbox processes of this worker, whenever they change: the supervisor watches their memory. */
  | { readonly kind: 'sandboxes'; readonly pids: readonly number[] }
  /** Changes of key/value data. */
  | { readonly kind: 'kv'; readonly batch: KvBatch }
  | { readonly kind: 'timerRan'; readonly id: number; readonly result: 'ok' | 'failed' }
  /** Nothing from before these purges is found here any more; how many objects each of them meant. */
  | { readonly kind: 'purged'; readonly id: number; readonly objects: readonly number[] }
  /** Requests have made this out of date: others are to be told. */
  | { readonly kind: 'invalidated'; readonly purges: readonly Purge[] }
  /** A unit asks for a purge, on all nodes. */
  | {
      readonly kind: 'unitPurge'
      readonly id: number
      readonly unit: Pick<UnitVersion, 'name' | 'version'>
      /** Where the unit runs: it may purge what these sites keep. */
      readonly reach: { readonly hosts: readonly string[]; readonly paths: readonly string[] }
      readonly purge: PurgeScope & { readonly soft: boolean }
    }
  /** Nobody of these is let in here any more. */
  | { readonly kind: 'bansUsed'; readonly id: number }
  /** A unit asks for a ban, on all nodes. */
  | { readonly kind: 'ban'; readonly id: number; readonly ban: BanRequest }
  /** How often limits that ban refused somebody since the last message. */
  | { readonly kind: 'refusals'; readonly refusals: readonly CountedRefusals[] }
  | { readonly kind: 'drained' }

/** Refusals of one limit, of the clients in one prefix: an IPv4 address, or an IPv6 prefix of the length that the limit counts by. */
export interface CountedRefusals {
  readonly prefix: string
  /** As people know it: `SITE/NAME`, or `NAME` of a limit over all sites. */
  readonly limit: string
  readonly count: number
  /** As the limit has it in its `ban`; times in milliseconds. */
  readonly after: number
  readonly withinMs: number
  readonly forMs: number
}

/** The origin of a site, as one worker sees it. */
export interface SiteOrigin {
  readonly site: string
  readonly origin: OriginState
}

/** One value of one series. Counters and histogram buckets are summed over workers, gauges too unless `worker` is a label. */
export interface MetricSample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number | HistogramValue
}

/** In the base unit: seconds. */
export type HistogramValue = HistogramCounts

/** One request after its end: what ran for it, and what units asked of the node. */
export interface RequestTrace {
  readonly method: string
  /** As received. */
  readonly target: string
  /** 0 where the client went before there was an answer. */
  readonly status: number
  readonly ms: number
  /** The word of the cache's metric; empty where it was not asked. */
  readonly cache: string
  /** What its answer is kept under; empty where the cache was not asked. */
  readonly cacheKey: string
  /** The limit that refused it, or would have: `login refused`, `login dry-run`. Absent where none did. */
  readonly limit?: string
  readonly runs: readonly {
    readonly unit: string
    readonly phase: string
    readonly result: string
    readonly cpuUs: number
  }[]
  readonly calls: readonly CallTrace[]
}

/** A line for `orla tail`: what a unit logged, or how it failed. */
export interface TailLine {
  readonly at: number
  readonly unit: string
  readonly version: number
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  /** The failure's reason, for errors of the unit itself. */
  readonly reason?: FailureReason
  readonly message: string
  /** The author's file and line, where known: `token.ts:7:3`. */
  readonly where?: string
  readonly worker: number
}
