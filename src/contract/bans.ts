/**
 * Who is kept out, wherever somebody may come in: at the listeners of all workers, and in the packet plane.
 *
 * A ban that a person, a program, a unit or a limit asks for is an entry of the log (`ban/PREFIX`), so that every node has it, also one that was away,
 * and after a restart. It ends by itself at `until` on each node; the writer takes the entry out of the log some time later. At an edge a ban stands
 * at once, and is passed on to its control plane, when that is there.
 *
 * What is in `never` on a node is not banned there, whatever lies around it or in it: a ban that covers it has a hole.
 */
import type { StoreView } from './store.ts'

/** The value of an entry. */
export interface BanRecord {
  /** Milliseconds since 1970, on the clock of the writer: when it ends. */
  readonly until: number
  /** The same: when it was made, or made anew. */
  readonly at: number
  readonly reason: string
  /** Who asked: the name of a token, `unit NAME`, or `limit NAME`. */
  readonly by: string
  /** The name of the node at which it was asked for. */
  readonly node: string
}

/** What a unit or a limit asks for in a worker; a node then makes a record of it. */
export interface BanRequest {
  /** An address or a prefix, in any way that `readPrefix` takes. */
  readonly prefix: string
  /** Whole milliseconds, from `BAN_MIN_MS` to `BAN_MAX_MS`. */
  readonly forMs: number
  readonly reason: string
  /** As in the record. */
  readonly by: string
  /** Of a unit: whose sites alone it was deployed for; see `UnitVersion`. */
  readonly sites?: readonly string[] | undefined
}

/** `prefix` in the one way to write it; or why it is not banned: a code of `base/error-codes.ts`, and a sentence. */
export type BanOutcome =
  | { readonly prefix: string; readonly until: number }
  | { readonly code: string; readonly message: string }

/** What stands on a node. All prefixes are in the one way to write them, and none twice. */
export interface BanSet {
  /** None of them lies in one of `never`. */
  readonly bans: readonly string[]
  readonly never: readonly string[]
}

/** A prefix that is in both is one that ended and came again: it stands. */
export interface BanChange {
  readonly added: readonly string[]
  readonly removed: readonly string[]
  /** Absent: as before. */
  readonly never?: readonly string[] | undefined
}

/**
 * Who enforces bans beside the workers: the packet plane. It is called in order, from the moment it is given to the node, with `replace` first; neither
 * call throws or waits: what fails there is told to the operator by it alone, and the workers enforce all bans anyway.
 */
export interface BanSink {
  /** From now on these, and nothing else. Called again whenever `never` has changed. */
  replace(all: BanSet): void
  add(prefixes: readonly string[]): void
  /** What is not there is no mistake. */
  remove(prefixes: readonly string[]): void
}

/** Where units and limits ask for bans in a worker: `Banning` in `http/banning.ts`. */
export interface BanAsking {
  /** Resolves when all workers of the node enforce it. It never rejects. */
  ban(request: BanRequest): Promise<BanOutcome>
}

export const BAN_MIN_MS = 1_000
export const BAN_MAX_MS = 366 * 24 * 3_600_000
/** Characters of a reason; longer ones are cut. */
export const BAN_REASON_MAX = 200
/** Prefixes that one request names at most. */
export const BAN_PREFIXES_MAX = 10_000

const PREFIX = 'ban/'

export const banKey = (prefix: string): string => PREFIX + prefix
export const bannedPrefixOf = (key: string): string | undefined =>
  key.startsWith(PREFIX) ? key.slice(PREFIX.length) : undefined

/** Keys of the log that are about bans alone: what runs on nodes is the same before and after them. */
export const isBanKey = (key: string): boolean => key.startsWith(PREFIX)

export const listBans = (store: StoreView): readonly (readonly [prefix: string, text: string])[] =>
  store.list(PREFIX).map(([key, text]) => [key.slice(PREFIX.length), text] as const)

/** Undefined for what another program wrote, which names what is not known here. */
export function parseBan(text: string): BanRecord | undefined {
  try {
    const given = JSON.parse(text) as Partial<BanRecord> | null
    if (typeof given !== 'object' || given === null) return undefined
    const { until, at, reason = '', by = '', node = '' } = given
    if (!Number.isFinite(until) || !Number.isFinite(at)) return undefined
    return { until: until!, at: at!, reason: String(reason), by: String(by), node: String(node) }
  } catch {
    return undefined
  }
}
