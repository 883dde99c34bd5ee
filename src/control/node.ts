/**
 * What the admin API asks of the node it controls. The supervisor implements it; the API knows nothing of processes.
 *
 * Whatever cannot be done is thrown as an `EdgeError`; `Refused` and `NotFinished` carry more than a sentence.
 */
import type { Reach } from '../site/scope.ts'
import { EdgeError } from '../base/errors.ts'
import type { ErrorCode } from '../base/error-codes.ts'
import type { TailLine } from '../contract/messages.ts'
import type { KvOperation, KvPage, KvStoreName } from '../contract/kv.ts'
import type { Manifest, UnitOrigin } from '../contract/unit.ts'
import type { LogEntry, LogSearch, Snapshot } from '../contract/store.ts'
import type { KvUplinkAnswer, KvUplinkBatch } from '../contract/kv-replication.ts'
import type { EdgeHello, EdgeReport } from '../contract/replication.ts'
import type { EdgeCaller } from '../replication/edge-registry.ts'
import type { PurgeScope } from '../contract/purge.ts'
import type { BanOutcome } from '../contract/bans.ts'
import type { BanChanged, BanList, Unbanned } from './ban-shapes.ts'
import type { PurgeResult } from './purge-shapes.ts'
import type { EdgeStatus } from './edge-shapes.ts'
import type { CacheExplained, CacheReport } from './cache-shapes.ts'
import type { SteeredSummary } from './dns-shapes.ts'
import type { PacketSummary } from './packet-shapes.ts'
import type { LimitSummary, LimitTopSummary } from './limit-shapes.ts'
import type { OriginSummary } from './origin-shapes.ts'
import type { RolloutGate } from '../contract/rollout.ts'
import type { RolloutSummary } from './rollout-shapes.ts'
import type { RestoreResult, StoreStatus, StoreVerdict } from './store-shapes.ts'
import type { SecretRotation } from './access-shapes.ts'
import type { SourceSummary } from './source-shapes.ts'
import type { CertificateChange, CertificateInfo } from './certificate-shapes.ts'
import type {
  ChangeResult,
  Laggard,
  Problem,
  ReloadResult,
  SiteChange,
  SiteSummary,
  UnitDetail,
  UnitSummary,
  UpgradeResult,
} from './shapes.ts'

/** When a change counts as done: written to the store, or run by every edge node, or by every worker of every edge node. */
export type Wait = 'stored' | 'edges' | 'all'

export interface ChangeOptions {
  readonly wait: Wait
  /** How long the caller waits, in milliseconds. The change goes on after that. */
  readonly timeoutMs: number
  /** With `wait: "edges"`: how many nodes, or which edges; a majority where it is not said. */
  readonly edges?: number | readonly string[] | undefined
  /** What becomes of it when the time is up; `keep` where it is not said. */
  readonly onTimeout?: 'keep' | 'withdraw' | undefined
  /** Throws where the caller may not change this: asked in the change's turn, of what is there and of what is to come. */
  readonly guard?: ChangeGuard
}

/** A position of the log, or a time in milliseconds since 1970. */
export type PastPoint = { readonly id: number } | { readonly ms: number }

export interface RestoreOptions extends ChangeOptions {
  /** Only says what would change. */
  readonly dryRun: boolean
}

/** What of a unit says how far it reaches. */
export type UnitReach = Pick<Manifest, 'hosts' | 'paths' | 'isolation' | 'kv' | 'limit'>

export interface ChangeGuard {
  /** The caller may do something for these sites alone; undefined: for whole nodes. */
  readonly sites: readonly string[] | undefined
  unit(name: string, reach: UnitReach): void
  /** `before` undefined: a new site; `after` undefined: it is removed. */
  site(
    name: string,
    before: Readonly<Record<string, unknown>> | undefined,
    after: Readonly<Record<string, unknown>> | undefined,
  ): void
}

export interface DeployRequest {
  /** The module, or the entry among `files`. */
  readonly source: string
  readonly language: 'ts' | 'js'
  /** Further modules that `source` imports, by relative path. */
  readonly files: Readonly<Record<string, string>>
  /** The path under which `source` is known in messages and to relative imports. */
  readonly entry: string
  /** See `unit/signature.ts`. */
  readonly signature?: string
  /** Wins over the fields in the module. Unchecked. */
  readonly manifest: Readonly<Record<string, unknown>>
  readonly env: EnvironmentChange
  /** The path of its tests among `files`. */
  readonly tests?: string
  /** Where it came from: one from elsewhere changes no unit that somebody deployed. */
  readonly origin?: UnitOrigin
  /** Fields of the manifest where the module says nothing. Unchecked. */
  readonly defaults?: Readonly<Record<string, unknown>>
  /** It is not live at once, but goes in stages, or beside the live version. */
  readonly rollout?: RolloutRequest
  /** A rollout that is under way ends with it; else it stands in the way. */
  readonly replacesRollout?: boolean
}

export type RolloutRequest =
  | {
      readonly kind: 'staged'
      /** See `unit/rollout/stages.ts`. Unchecked. */
      readonly stages: readonly string[]
      readonly gate?: Partial<RolloutGate>
      readonly stepForMs?: number
    }
  | { readonly kind: 'shadow'; readonly share: number; readonly mayFetch: boolean }

export type RolloutMove =
  | { readonly action: 'advance' | 'pause' | 'resume' | 'abort' }
  /** A shadow is live from now on, or goes in stages. */
  | { readonly action: 'promote'; readonly staged?: Extract<RolloutRequest, { kind: 'staged' }> }

/** What is not named stays as the version before had it; null unsets. */
export interface EnvironmentChange {
  readonly env?: Readonly<Record<string, string | null>>
  /** Sealed in the store, and never shown. */
  readonly secrets?: Readonly<Record<string, string | null>>
}

/** A change that was refused for reasons that lie in what was sent. Nothing was changed. */
export class Refused extends EdgeError {
  readonly problems: readonly Problem[]

  constructor(detail: string, problems: readonly Problem[], code: ErrorCode = 'unit-invalid') {
    super(code, detail)
    this.problems = problems
  }
}

/** The time is up. What was asked for goes on, or was taken back. */
export class NotFinished extends EdgeError {
  readonly laggards: readonly Laggard[]
  /** Whether it is in the log. */
  readonly outcome: 'kept' | 'withdrawn'

  constructor(detail: string, laggards: readonly Laggard[], outcome: 'kept' | 'withdrawn' = 'kept') {
    const isGone = outcome === 'withdrawn'
    super(
      'not-finished',
      detail,
      isGone ? { hint: 'see the laggards, and send it again once they are there' } : {},
    )
    this.laggards = laggards
    this.outcome = outcome
  }
}

/** What a site must be for a change to happen: at this version, not there, or there at any version. */
export type Expectation = number | 'none' | 'any'

export interface TailListener {
  onLine(line: TailLine): void
  /** Lines that were lost since the last call, because a worker or this listener was too slow. */
  onDropped(count: number): void
}

export interface ControlledKv {
  /** Of `edge.kv`, or of `edge.cache`. */
  namespaces(
    store?: KvStoreName,
  ): readonly { readonly namespace: string; readonly keys: number; readonly bytes: number }[]
  /** Undefined where there is no such key. */
  get(namespace: string, key: string): Uint8Array | undefined
  list(namespace: string, prefix: string, limit: number, cursor: string): KvPage
  /** Resolves when every worker sees it. Throws where it is refused. `compareAndSet` and `get` are asked strongly, whatever is said. */
  change(operation: KvOperation, asked: KvAsked): Promise<KvDone>
}

export interface KvAsked {
  /** Resolve when it is on the disk. */
  readonly durable?: boolean
  /** Done by whoever orders the changes of all nodes before it is seen here. */
  readonly strong?: boolean
}

/** `value` is the counter's; 1 where a key was deleted, set by `compareAndSet`, or read. */
export type KvDone = { readonly value: number; readonly bytes?: Uint8Array }

/** A certificate as an operator gives it: PEM. */
export interface NewCertificate {
  readonly cert: string
  readonly key: string
  /** Also where it has expired. */
  readonly force: boolean
}

export type PurgeRequest = PurgeScope & {
  /** Only of what these sites keep; where it names nothing else, all of that. */
  readonly sites?: readonly string[] | undefined
  readonly soft: boolean
}

export interface BanRequests {
  /** Unchecked. */
  readonly prefixes: readonly string[]
  readonly forMs: number
  readonly reason: string
  /** Also what is a large part of all addresses. */
  readonly force: boolean
}

export interface BanMethods {
  /** All of them or none. `by`: the name of the token. Throws `ban-invalid`, `ban-refused` and `ban-limit`. */
  ban(request: BanRequests, by: string, options: ChangeOptions): Promise<BanChanged>
  /** All of them or none. Throws `ban-invalid` and `ban-unknown`. */
  unban(prefixes: readonly string[] | 'all', options: ChangeOptions): Promise<Unbanned>
  /** `address`: only those that are around it or within it. Throws `ban-invalid`. */
  bans(asked: { readonly address?: string; readonly limit: number }): BanList
}

/** A limit, as somebody names it: without a site where there is one of that name alone. */
export interface LimitName {
  readonly name: string
  /** Empty: over all sites. */
  readonly site: string | undefined
}

export interface ControlledNode extends BanMethods {
  /** Bans that an edge was asked for; each by itself. */
  orderBans(
    bans: readonly {
      readonly prefix: string
      readonly forMs: number
      readonly reason: string
      readonly by: string
      readonly node: string
    }[],
  ): Promise<readonly BanOutcome[]>
  deploy(name: string, request: DeployRequest, options: ChangeOptions): Promise<ChangeResult>
  /** Without a version: to the one before the live one. */
  rollback(name: string, version: number | undefined, options: ChangeOptions): Promise<ChangeResult>
  remove(name: string, options: ChangeOptions): Promise<ChangeResult>
  setEnabled(name: string, enabled: boolean, options: ChangeOptions): Promise<ChangeResult>
  /** The switch for all units at once; `name` of the result is `*`. */
  setAllEnabled(enabled: boolean, options: ChangeOptions): Promise<ChangeResult>
  setEnv(name: string, change: EnvironmentChange, options: ChangeOptions): Promise<ChangeResult>

  /** New versions on their way, and how the last one of each unit went. */
  rollouts(): Promise<readonly RolloutSummary[]>
  rollout(name: string): Promise<RolloutSummary>
  moveRollout(name: string, move: RolloutMove, options: ChangeOptions): Promise<ChangeResult>

  /** Seals all secrets with another key; one is made where none is given. */
  rotateSecrets(key: string | undefined): Promise<SecretRotation>

  /** Where units come from that nobody deploys here. */
  sources(): readonly SourceSummary[]
  /** Those of the log. */
  certificates(): readonly CertificateInfo[]
  /** Throws `certificate-unknown`. */
  certificate(name: string): CertificateInfo
  /** Throws `certificate-invalid` or `certificate-expired`, with nothing changed. */
  setCertificate(name: string, given: NewCertificate, options: ChangeOptions): Promise<CertificateChange>
  removeCertificate(name: string, options: ChangeOptions): Promise<CertificateChange>

  sites(): readonly SiteSummary[]
  site(name: string): SiteSummary
  /** What the cache of each site holds and did, asked of all workers now; of each site so many of the most wanted objects. */
  caches(top: number): Promise<CacheReport>
  /** The limits that are live, and what they did: of all workers, those that have ended too. */
  limits(): Promise<readonly LimitSummary[]>
  /** Who asked most of one in the last minutes. Throws `limit-unknown`. */
  limitTop(limit: LimitName, count: number): Promise<readonly LimitTopSummary[]>
  /** What the caches make of a GET of this URL. Throws `site-unknown` where no site answers for it. Headers with names in lower case. */
  explainCache(url: string, headers: readonly string[]): Promise<CacheExplained>
  /**
   * How a client (an address or a prefix) is answered that asks for a steered name, and why: one for each server block that has it. Throws
   * `request-invalid`.
   */
  steer(name: string, client: string): Promise<readonly SteeredSummary[]>
  /** How the endpoints of each site do, asked of all workers now. */
  origins(): Promise<readonly OriginSummary[]>
  /** The packet plane of this node, with so many destination ports. */
  packet(top: number): PacketSummary
  /** All of them or none. `expected` is of the only one. The inputs are unchecked. */
  setSites(
    inputs: readonly Readonly<Record<string, unknown>>[],
    how: { readonly replaceAll?: boolean; readonly expected?: Expectation },
    options: ChangeOptions,
  ): Promise<SiteChange>
  removeSite(name: string, expected: Expectation | undefined, options: ChangeOptions): Promise<SiteChange>
  /** Reads the configuration file again. */
  reload(options: ChangeOptions): Promise<ReloadResult>
  /** Starts the program anew, which takes over without a connection refused. Resolves when it serves. */
  upgrade(): Promise<UpgradeResult>

  /** Takes out of caches, on all nodes, what it names; see `contract/purge.ts`. Throws `site-unknown`. */
  purge(request: PurgeRequest, options: ChangeOptions): Promise<PurgeResult>

  /** Of the live version; undefined where there is no such unit. */
  reach(unit: string): UnitReach | undefined
  /** The other units that name this namespace in their field `kv`. */
  namespaceUsers(namespace: string): readonly (Reach & { readonly name: string })[]
  units(): Promise<readonly UnitSummary[]>
  unit(name: string): Promise<UnitDetail>
  edges(): readonly EdgeStatus[]
  /** Throws `edge-unknown`. */
  forgetEdge(name: string): EdgeStatus
  /** What an edge is told from where it stands; `isAllowed` is asked again and again. */
  follow(hello: EdgeHello, caller: EdgeCaller, isAllowed: () => boolean): ReadableStream<Uint8Array>
  report(report: EdgeReport, caller: EdgeCaller): void
  /** Changes of key/value data that an edge has made. Throws `request-invalid` where they are none. */
  orderKv(batch: KvUplinkBatch, from: string): Promise<readonly KvUplinkAnswer[]>
  /** The key of secrets, in base64. */
  secretKey(): string
  /** Prometheus text. */
  metrics(): Promise<string>
  /** Key/value data of units. */
  readonly kv: ControlledKv
  /** Until the returned function is called. `unit` undefined: all. */
  tail(unit: string | undefined, listener: TailListener): () => void
  /** Throws `log-trimmed` where it asks for what is kept no more. */
  searchLog(search: LogSearch): readonly LogEntry[]
  /** The id before the first entry that is kept. */
  storeBase(): number
  storeStatus(): Promise<StoreStatus>
  verifyStore(): Promise<StoreVerdict>
  /** Units and sites become what they were. */
  restore(to: PastPoint, options: RestoreOptions): Promise<RestoreResult>
  snapshot(): Snapshot
  /** What stands in the way of serving; empty when ready. */
  unready(): readonly string[]
}
