/**
 * What a running program and the one that takes over from it say to each other. They may be of different versions, so this changes with
 * care: `VERSION` goes up when the other side would misunderstand.
 *
 *     running                         new
 *       ── environment: Inheritance ──▶   reads its configuration, opens what it needs
 *       ◀── prepared ──
 *     stops writing, lets the lock go
 *       ── yours ──▶                      takes the lock, opens the store
 *     hands on what its requests write
 *       ── kv ──▶ ◀── kvDone ──            starts workers
 *       ◀── ready ──
 *     tells its workers, too ◀── purge ── ── purged ──▶
 *                            ◀── bans ── ── bansUsed ──▶
 *     drains
 *
 * Key/value changes go over before the new one serves, since units wait for them, and for a second at most by default.
 * Who ends before `yours` changes nothing: where it is the new program, the running one goes on; where it is the running one, the new one takes over all
 * the same, since it holds the sockets.
 */
import type { BanChange } from '../../contract/bans.ts'
import type { KvBatch, KvResult } from '../../contract/kv.ts'
import type { NumberedPurge } from '../../contract/purge.ts'
import type { PacketLink } from '../packet-plane.ts'

export const VERSION = 1

export type KvChanges = Pick<KvBatch, 'store' | 'writes' | 'durable' | 'strong'>
/** Makes changes of key/value data and tells what became of them, in their order. */
export type ApplyKv = (changes: KvChanges, onDone: (results: readonly KvResult[]) => void) => void

/** Applies purges in all workers there are; objects of each. */
export type RelayPurges = (purges: readonly NumberedPurge[]) => Promise<readonly number[]>

/** Resolves when nobody comes in by any worker there is whom these keep out. */
export type RelayBans = (change: BanChange) => Promise<void>

/** The variable of the environment that holds it, as JSON. */
export const INHERITANCE = 'ORLA_HANDOVER'

/** What a program leaves to the next one. */
export interface Estate {
  /** Descriptors of listening sockets, by what `ListenSockets` calls them. */
  readonly sockets: readonly { readonly address: string; readonly fd: number }[]
  readonly control: { readonly address: string; readonly fd: number }
  /** Path of the shared words by which processes know what has changed in key/value data. */
  readonly kvWords: string
  /** The XDP links of the packet plane. Programs from before there was one say nothing of it. */
  readonly packet?: readonly PacketLink[]
  /** Where limits count. Absent: it knows of none. */
  readonly limits?: LimitsEstate
}

/** Where limits count, for the next program. */
export interface LimitsEstate {
  /** 0 or 1, in turns: workers of both programs lock the same memory, and have other numbers there. */
  readonly turn: number
  /** Paths by the identity of the limit. */
  readonly regions: readonly (readonly [id: string, path: string])[]
}

export interface Inheritance extends Estate {
  readonly version: number
  /** Its workers are told of bans. Absent: it is from before that, and would never answer. */
  readonly hearsBans?: boolean
}

export type ToSuccessor =
  | { readonly kind: 'yours'; readonly ticketKeys: readonly Uint8Array[] }
  | { readonly kind: 'kv'; readonly id: number; readonly changes: KvChanges }
  | { readonly kind: 'purged'; readonly id: number; readonly objects: readonly number[] }
  | { readonly kind: 'bansUsed'; readonly id: number }

export type FromSuccessor =
  | { readonly kind: 'prepared' }
  | { readonly kind: 'ready'; readonly version: string }
  | { readonly kind: 'failed'; readonly message: string }
  /** The workers of the one before still answer, on connections that they have. */
  | { readonly kind: 'purge'; readonly id: number; readonly purges: readonly NumberedPurge[] }
  | { readonly kind: 'bans'; readonly id: number; readonly change: BanChange }
  | { readonly kind: 'kvDone'; readonly id: number; readonly results: readonly KvResult[] }
