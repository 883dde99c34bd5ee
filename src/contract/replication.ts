/**
 * What edges and their control plane say to each other.
 *
 * An edge asks once (`POST /v1/edges/follow`) and is told on, as server-sent events, for as long as the connection lasts; it says how far it is
 * by requests of its own (`POST /v1/edges/report`). Positions are its own: the control plane remembers nothing that a connection needs.
 *
 *     welcome   {control, version, key}            key: tells which key secrets are sealed with
 *     entries   {log, entries}                     what comes next in a log
 *     reset     {log, position, count, bytes, key} it does not go on from where you stand: a snapshot follows
 *     state     {log, pairs}                       a part of it
 *     loaded    {log}                              it is whole: from here on, entries
 *     edges     {edges}                            what it knows of all edges, with each beat, for those who asked for it
 *     beat      {now}                              nothing new; both ends notice a dead connection by its absence
 */
import type { DnsEdgeState } from './dns.ts'
import type { RolloutSample } from './rollout.ts'
import type { LogEntry, Position } from './store.ts'

/** Grows when an older program could not follow. */
export const REPLICATION_PROTOCOL = 1
/** Somebody says something at least as often. */
export const BEAT_MS = 5_000
/** A connection without a byte for so long is dead. */
export const SILENCE_MAX_MS = 17_000

/** An edge, and where it stands. */
export interface EdgeHello {
  readonly protocol: number
  readonly name: string
  /** Of its data directory: two edges with one name are told apart by it. */
  readonly instance: string
  readonly groups: readonly string[]
  readonly addresses: readonly string[]
  readonly version: string
  readonly positions: Readonly<Record<string, Position>>
  /** It sends clients to edges, and is to be told how all of them do. */
  readonly isSteering?: boolean | undefined
}

/** What an edge runs: sent when it changes, and after each connect. */
export interface EdgeReport {
  readonly name: string
  readonly instance: string
  /** Durable on its disk, and run by all its workers. */
  readonly live: Position
  /** Durable on its disk. */
  readonly stored: Position
  readonly epoch: number
  readonly enabled: boolean
  readonly workers: { readonly live: number; readonly of: number }
  /** What it has and does not run, and why. */
  readonly rejected?:
    | { readonly log: string; readonly id: number; readonly problems: readonly string[] }
    | undefined
  /** Up to where purges of caches are applied there, and how many objects the last ones meant. */
  readonly purged?: EdgePurged | undefined
  /** How versions in rollouts fare there, while there are some. */
  readonly rollouts?: readonly RolloutSample[] | undefined
  /** For control planes that it does not follow now, and that may not know it. */
  readonly about?: Pick<EdgeHello, 'groups' | 'addresses' | 'version'> | undefined
  /** How busy its processors are, from 0 to 1. */
  readonly load?: number | undefined
  /** It ends in order, and is not to be waited for. */
  readonly isLeaving?: boolean | undefined
}

export interface EdgePurged {
  readonly log: string
  readonly id: number
  /** By the id of the purge. */
  readonly objects: readonly (readonly [id: number, objects: number])[]
}

export type FeedEvent =
  | { readonly event: 'welcome'; readonly control: string; readonly version: string; readonly key: string }
  | { readonly event: 'entries'; readonly log: string; readonly entries: readonly LogEntry[] }
  | {
      readonly event: 'reset'
      readonly log: string
      readonly position: Position
      readonly count: number
      readonly bytes: number
      readonly key: string
    }
  | {
      readonly event: 'state'
      readonly log: string
      readonly pairs: readonly (readonly [key: string, value: string])[]
    }
  | { readonly event: 'loaded'; readonly log: string }
  | { readonly event: 'edges'; readonly edges: readonly DnsEdgeState[] }
  /** By the clock of the control plane, in milliseconds since 1970. */
  | { readonly event: 'beat'; readonly now?: number | undefined }

/** A log that edges are told of. */
export interface FeedSource {
  /** Its name: `units`, or a bucket of key/value data. */
  readonly log: string
  position(): Position
  entriesAfter(position: Position, limit: number): readonly LogEntry[] | 'reset'
  snapshot(): { readonly position: Position; readonly entries: ReadonlyMap<string, string> }
}
