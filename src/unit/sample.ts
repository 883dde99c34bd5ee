/**
 * Whether a request runs a unit that is sampled: by chance, or by the client, who then stays on one side.
 *
 * A client is a point between 0 and 1, hashed from what it is known by and the unit's name: so two units do not sample
 * the same half of the clients, and raising the share keeps everybody who was in.
 */
import type { UnitVersion } from '../contract/unit.ts'

export interface SampleClient {
  /** Drawn for this request: 0 to 1, without 1. */
  readonly random: number
  /** Of the client, as text. */
  readonly address: string
  /** A cookie's value. A client without it is known by its address until it has one. */
  cookie(name: string): string | undefined
}

export function isSampled(unit: UnitVersion, client: SampleClient): boolean {
  const { share, by } = unit.manifest.sample
  if (share >= 1) return true
  if (share <= 0) return false
  if (by === 'random') return client.random < share
  const cookie = by === 'address' ? undefined : client.cookie(by.slice('cookie:'.length))
  return pointOf(unit.name, cookie ?? client.address) < share
}

/** 0 to 1, without 1. FNV-1a over both texts, then MurmurHash3's finish: FNV alone leaves similar texts close by. */
export function pointOf(salt: string, text: string): number {
  let hash = fnv(fnv(0x811c9dc5, salt) ^ 0xff, text)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32
}

function fnv(start: number, text: string): number {
  let hash = start
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash
}
