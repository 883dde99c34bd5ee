/**
 * What the rest of the program knows about a unit: where it hooks in, when it matches, what it may use.
 *
 * A unit is one module of TypeScript. Its author's view (the `Unit` type with typed handlers) is in
 * `unit/types/orla.d.ts`; this file is the operator's view, after the module was built and its fields were read.
 */

/**
 * The phases a unit may hook, in the order of a request's life. The bit is how a set of them travels, and how it lies in
 * the store: it stays what it is, so later phases have higher ones.
 */
export const PHASE_BITS = {
  rewrite: 1,
  access: 2,
  content: 4,
  origin: 32,
  originResponse: 64,
  headerFilter: 8,
  bodyFilter: 128,
  log: 16,
  /** Of no request: by the clock, once on the node. */
  timer: 256,
  /** Of a query to the DNS plane. */
  dns: 512,
} as const

/** Those that no request of HTTP meets. */
export const PHASES_BESIDE_REQUESTS = PHASE_BITS.timer | PHASE_BITS.dns

/** Those in which a unit may answer the request. */
export const ANSWERING_PHASES =
  PHASE_BITS.rewrite | PHASE_BITS.access | PHASE_BITS.content | PHASE_BITS.origin

export type Phase = keyof typeof PHASE_BITS

export const PHASES = Object.keys(PHASE_BITS) as readonly Phase[]

/** Why a run of a unit failed. The same word stands in the answer, the metric, the log line and the breaker. */
export type FailureReason =
  | 'cpu' // used more CPU than `limits.cpuMs` in one call
  | 'wall' // an async handler did not settle within `limits.wallMs`
  | 'memory' // its isolate outgrew `limits.memoryMb`, or its sandbox the memory of a sandbox
  | 'crash' // the process that ran it died while it was running
  | 'throw' // the handler threw, rejected, or returned what its phase may not return
  | 'buffer' // the body is longer than `buffer`, what the unit takes whole
  | 'syntax' // the code did not compile or its top level threw
  | 'unsigned' // the node runs signed units alone, and this one lies in the store without a signature that is right

/** What happens to the request when a unit fails. */
export type FailurePolicy =
  | 'closed' // 503 that names the unit and the reason; SERVFAIL in `dns`
  | 'open' // as if the unit were not there
  | 'lastGood' // the version before runs instead; without one, closed

export interface UnitLimits {
  /** CPU time of one call of a handler, in milliseconds, 1 to 1000. */
  readonly cpuMs: number
  /** Time from call to settled answer of an async handler, in milliseconds, 1 to 60000. */
  readonly wallMs: number
  /** Heap of the unit's isolate, in MiB, 8 to 512. */
  readonly memoryMb: number
}

/** The share of requests that run the unit, and by what a client stays in or out. */
export interface Sample {
  /** 0 to 1. */
  readonly share: number
  /** `random` draws per request; `address` and `cookie:NAME` keep a client on one side. */
  readonly by: 'random' | 'address' | `cookie:${string}`
}

export interface Manifest {
  /** Hosts of the request, or names of the query: exact (`tv.example.com`), a subdomain wildcard (`*.example.com`), or `*`. Empty: all. */
  readonly hosts: readonly string[]
  /** Paths: exact, or a prefix that ends in `*`. Empty: all. Compared decoded: see `base/path-pattern.ts`. */
  readonly paths: readonly string[]
  /** Methods in upper case; `GET` stands for `HEAD` too. Empty: all. */
  readonly methods: readonly string[]
  /** Edge nodes by name, or by `group:NAME`. Empty: all. */
  readonly nodes: readonly string[]
  /** Higher runs first; equal ones by name. */
  readonly priority: number
  readonly sample: Sample
  /** Absent: closed for `rewrite`, `access`, `content` and `dns`, open elsewhere. */
  readonly onError?: FailurePolicy
  /** `bodyFilter` is given the body whole, up to so many bytes. Absent, or 0: piece by piece. */
  readonly buffer?: number
  /** What `bodyFilter` is given. Absent: bytes. */
  readonly chunks?: 'bytes' | 'text'
  readonly limits: UnitLimits
  readonly isolation: 'process' | 'inline'
  /** When `timer` runs: a time such as `20s`, or a cron line in UTC. */
  readonly every?: string
  readonly cron?: string
  /** The namespace of `edge.kv`, where it is not the unit's own name: units that name the same one share it. */
  readonly kv?: string
  /** What a request takes of before the unit runs, in this order. Absent: of nothing. */
  readonly limit?: readonly LimitField[]
}

/** A limit by its name, or one of the unit's own, in the words of `limits` in the configuration; without `name` it is called as the unit. */
export type LimitField = string | Readonly<Record<string, unknown>>

/** Where a version came from that nobody wrote here: it is told to people, and decides who may change it. */
export interface UnitOrigin {
  /** `source`: the node follows it, and changes the unit with it. `import`: it was taken over once. */
  readonly kind: 'source' | 'import'
  /** Name of the source; of an import the URL, without user and password. */
  readonly source: string
  /** What the unit is called there. */
  readonly name: string
  /** Of what it was made of. */
  readonly hash: string
}

/** One version of a unit, ready to run. Immutable: a change of code, manifest or environment is a new version. */
export interface UnitVersion {
  readonly name: string
  /** 1, 2, 3… within the name. */
  readonly version: number
  /**
   * The built module as the body of a CommonJS function `(exports, module)`: assigns `module.exports`, whose `default`
   * (or itself) is the unit. One line longer in front of it would break the source map: see `sandbox/isolate-host.ts`.
   */
  readonly code: string
  /** Source map v3 of `code`, as JSON, to name the author's file and line. May be empty. */
  readonly sourceMap: string
  /** The handlers the module exports, as an OR of `PHASE_BITS`. */
  readonly phases: number
  readonly manifest: Manifest
  /** `edge.env`: plain values and decrypted secrets. */
  readonly env: Readonly<Record<string, string>>
  /** The source that it follows: its `edge.redis` leads there. Absent: it has none. */
  readonly source?: string
  /** Whoever deployed it may do something for these sites alone. Absent: for whole nodes. */
  readonly sites?: readonly string[]
  /** Why it is not run here: it fails with `unsigned` wherever it would. Its code and environment are left out. */
  readonly barred?: string
  /** It holds the tests of a unit: it can ask for that to be run, and is never live. */
  readonly isTest?: true
  /** Tells it from another one of this name and number, of a history of the log that is gone: a store that was put back gives numbers again. */
  readonly edition?: string
  /** It runs beside the live version on the same requests: what it does has no effect. `mayFetch`: but GET and HEAD go out. */
  readonly shadow?: { readonly mayFetch: boolean }
}

/** `NAME@VERSION`, how a version is written wherever people see it. */
export const versionKey = (unit: { readonly name: string; readonly version: number }): string =>
  `${unit.name}@${unit.version}`

/** What of a version is loaded, judged and counted together: a shadow has isolates of its own, also once the same version is live. */
export function runKey(unit: Pick<UnitVersion, 'name' | 'version' | 'edition' | 'shadow'>): string {
  const key = unit.edition === undefined ? versionKey(unit) : `${versionKey(unit)} ${unit.edition}`
  return unit.shadow === undefined ? key : `${key} shadow`
}

/** What takes over where a version fails with `onError: "lastGood"`: for one that is being rolled out the live one. */
export const lastGoodOf = (
  lastGood: Readonly<Record<string, UnitVersion>>,
  unit: UnitVersion,
): UnitVersion | undefined => lastGood[versionKey(unit)] ?? lastGood[unit.name]

export const DEFAULT_LIMITS: UnitLimits = { cpuMs: 10, wallMs: 1000, memoryMb: 32 }

export const DEFAULT_MANIFEST: Manifest = {
  hosts: [],
  paths: [],
  methods: [],
  nodes: [],
  priority: 0,
  sample: { share: 1, by: 'random' },
  limits: DEFAULT_LIMITS,
  isolation: 'process',
}

/** What guards or answers a request: without it the request must not go on. */
const CLOSED_PHASES: ReadonlySet<Phase> = new Set(['rewrite', 'access', 'content', 'dns'])

/** The policy of a unit for a phase, with the default where its author chose none. */
export function failurePolicy(manifest: Manifest, phase: Phase): FailurePolicy {
  return manifest.onError ?? (CLOSED_PHASES.has(phase) ? 'closed' : 'open')
}
