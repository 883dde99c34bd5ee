/**
 * Key/value data as it stands in a log: `NAMESPACE/KEY` with `EXPIRES` and the bytes, or `!INSTANCE` with a marker.
 *
 * A namespace has no slash and begins with a letter or a digit, so the first slash ends it, whatever a key holds. Bytes are `t` and their text where
 * that is UTF-8, else `b` and base64.
 */
import { isUtf8 } from 'node:buffer'
import { EdgeError } from '../../base/errors.ts'
import type { KvUplinkResult } from '../../contract/kv-replication.ts'
import { KV_BUCKETS } from '../../contract/shared-log.ts'
import type { KvRow } from '../rows.ts'

/** The log that a namespace lies in. FNV-1a over its UTF-16 units: it stays what it is, or data moves. */
export function bucketOf(namespace: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < namespace.length; i++) hash = Math.imul(hash ^ namespace.charCodeAt(i), 0x01000193)
  return ((hash ^ (hash >>> 15)) >>> 0) % KV_BUCKETS
}

export const encodeBytes = (bytes: Uint8Array): string =>
  isUtf8(bytes) ? `t${Buffer.from(bytes).toString('utf8')}` : `b${Buffer.from(bytes).toString('base64')}`

/** Undefined where it is none. */
export function decodeBytes(text: string): Uint8Array | undefined {
  if (text.startsWith('t')) return Buffer.from(text.slice(1), 'utf8')
  if (text.startsWith('b')) return Buffer.from(text.slice(1), 'base64')
  return undefined
}

export const encodeRow = ({ value, expires }: KvRow): string => `${expires}${encodeBytes(value)}`

export function decodeRow(text: string): KvRow {
  const end = /[tb]/.exec(text)?.index ?? 0
  const expires = Number(text.slice(0, end))
  const value = decodeBytes(text.slice(end))
  if (end > 0 && value && Number.isSafeInteger(expires) && expires >= 0) return { value, expires }
  throw new EdgeError('store-diverged', `a value in the log is none of key/value data: ${text.slice(0, 40)}`)
}

/** Up to where the operations of an edge are in the log of a bucket. */
export interface Marker {
  /** Whose instance it is: see `KvUplink`. */
  readonly from?: string | undefined
  readonly last: number
  /** The id of the last entry of the group that it stands in. */
  readonly through: number
  /** Milliseconds since 1970, by the clock of the authority. */
  readonly at: number
  /** Of the last batch: what somebody waits for, or was refused, by sequence number. */
  readonly results: Readonly<Record<string, KvUplinkResult>>
}

export const encodeMarker = (marker: Marker): string => JSON.stringify(marker)

export function decodeMarker(text: string): Marker {
  try {
    const marker = JSON.parse(text) as Marker | null
    if (marker && [marker.last, marker.through, marker.at].every(Number.isSafeInteger)) return marker
  } catch {
    // Told below.
  }
  throw new EdgeError('store-diverged', `a marker in the log is none: ${text.slice(0, 40)}`)
}

export const rowKey = (namespace: string, key: string): string => `${namespace}/${key}`
export const markerKey = (instance: string): string => `!${instance}`

export type Place =
  | { readonly kind: 'row'; readonly namespace: string; readonly key: string }
  | { readonly kind: 'marker'; readonly instance: string }

export function decodeKey(key: string): Place {
  if (key.startsWith('!')) return { kind: 'marker', instance: key.slice(1) }
  const slash = key.indexOf('/')
  if (slash > 0) return { kind: 'row', namespace: key.slice(0, slash), key: key.slice(slash + 1) }
  throw new EdgeError('store-diverged', `a key in the log is none of key/value data: ${key.slice(0, 40)}`)
}
