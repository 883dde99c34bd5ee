/**
 * How a stored response lies on disk beside its body: one place says it, and a version in front of it. What another version wrote is not
 * read: it is a miss.
 *
 * It is what the response was made of (the answer as it came, the plan, the headers that chose it), not what was made of it: that is made
 * anew. An address whose answers differ by request headers has a record that says by which ones.
 */
import type { HeaderList } from '../../wire/http1/message.ts'
import type { StoredBody } from './stored-body.ts'
import { StoredResponse, type IncomingResponse } from './stored-response.ts'
import type { StorePlan } from './storing.ts'
import { parseHeaderLines } from '../fields.ts'
import { selectingOf } from './vary.ts'
import type { VaryRules } from './vary-rules.ts'

const VERSION = 1

interface ResponseRecord {
  readonly v: typeof VERSION
  readonly status: number
  readonly reason: string
  readonly headers: HeaderList
  /** As the origin sent them, where units changed them. */
  readonly before?: string
  readonly cacheStatus?: string
  readonly plan: StorePlan
  /** Names, and what the request said; null: nothing. */
  readonly chosen: readonly (readonly [name: string, received: string | null])[]
  readonly responseTimeMs: number
  readonly tags: readonly string[]
}

interface VariesRecord {
  readonly v: typeof VERSION
  /** Sets of names, the newest first. */
  readonly varies: readonly (readonly string[])[]
}

export type DiskRecord =
  | { readonly kind: 'response'; readonly record: ResponseRecord }
  | { readonly kind: 'varies'; readonly sets: VariesRecord['varies'] }

export function encodeResponse(response: StoredResponse): Buffer {
  const { status, reason, headers, selecting, tags, priorCacheStatus, beforeLines } = response
  const record: ResponseRecord = {
    v: VERSION,
    status,
    reason,
    headers,
    ...(beforeLines !== undefined && { before: beforeLines }),
    ...(priorCacheStatus !== undefined && { cacheStatus: priorCacheStatus }),
    plan: response.plan,
    chosen: selecting.map(({ name, received }) => [name, received ?? null]),
    responseTimeMs: response.responseTimeMs,
    tags,
  }
  return Buffer.from(JSON.stringify(record, infinityAsText))
}

export const encodeVaries = (varies: VariesRecord['varies']): Buffer =>
  Buffer.from(JSON.stringify({ v: VERSION, varies } satisfies VariesRecord))

/** Undefined: it is none that this version wrote. */
export function decodeRecord(meta: Buffer): DiskRecord | undefined {
  try {
    const record = JSON.parse(meta.toString('utf8')) as ResponseRecord | VariesRecord
    if (record.v !== VERSION) return undefined
    return 'varies' in record ? { kind: 'varies', sets: record.varies } : { kind: 'response', record }
  } catch {
    return undefined
  }
}

/** `staleFromMs`: it is stale from then on, whatever was said when it came. */
export function responseOf(
  record: ResponseRecord,
  body: StoredBody,
  rules: VaryRules,
  staleFromMs: number,
): StoredResponse {
  const { status, reason, before, cacheStatus, chosen } = record
  const headers =
    cacheStatus === undefined ? record.headers : [...record.headers, 'cache-status', cacheStatus]
  const incoming: IncomingResponse = {
    status,
    reason,
    headers,
    before: before === undefined ? undefined : parseHeaderLines(before),
  }
  const names = chosen.map(([name]) => name)
  const received = chosen.flatMap(([name, value]) => (value === null ? [] : [name, value]))
  const plan = withInfinity(record.plan)
  const freshUntilMs = Math.min(plan.freshUntilMs, staleFromMs)
  return new StoredResponse(
    incoming,
    body,
    freshUntilMs === plan.freshUntilMs ? plan : { ...plan, freshUntilMs },
    selectingOf(names, received, rules),
    record.responseTimeMs,
  )
}

// JSON has no infinity, and a plan has: what is never fresh.
const NEVER = '-Infinity'
const infinityAsText = (_: string, value: unknown): unknown => (value === -Infinity ? NEVER : value)

function withInfinity(plan: StorePlan): StorePlan {
  return (plan.freshUntilMs as unknown) === NEVER ? { ...plan, freshUntilMs: -Infinity } : plan
}
