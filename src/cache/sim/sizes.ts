/** Sizes of caches as people write them: `1000` entries, `64mb`, or `5%` of all that a trace asks for. */
import { parseSize } from '../../base/quantity.ts'
import type { TraceFacts } from './trace.ts'

export type Bound = 'entries' | 'bytes'

export interface CacheSize {
  readonly by: Bound
  /** Entries or bytes, a whole number from 1. */
  readonly capacity: number
  /** Of the entries or bytes of all objects; above 1 it holds everything. */
  readonly share: number
}

export type WrittenSize =
  | { readonly kind: 'share'; readonly share: number }
  | { readonly kind: 'bytes'; readonly capacity: number }
  /** Entries, or bytes in a cache that is bound by bytes. */
  | { readonly kind: 'count'; readonly capacity: number }

export const SIZE_EXPECTED =
  'a share of all objects such as 5%, bytes such as 64mb (b, kb, mb, gb, tb), or entries such as 1000'

/** Undefined where it is none of the three, or nothing at all. */
export function parseCacheSize(text: string): WrittenSize | undefined {
  const [, percent] = /^(\d+(?:\.\d+)?)\s*%$/.exec(text) ?? []
  if (percent !== undefined)
    return Number(percent) > 0 ? { kind: 'share', share: Number(percent) / 100 } : undefined
  if (/^\d+$/.test(text)) return Number(text) > 0 ? { kind: 'count', capacity: Number(text) } : undefined
  const bytes = parseSize(text)
  return bytes === undefined || bytes === 0 ? undefined : { kind: 'bytes', capacity: bytes }
}

/** How sizes are meant where nobody says: by bytes where the trace has them, unless a bare number speaks of entries. */
export function boundOf(written: readonly WrittenSize[], facts: { readonly hasSizes: boolean }): Bound {
  if (written.some(({ kind }) => kind === 'bytes')) return 'bytes'
  if (written.some(({ kind }) => kind === 'count')) return 'entries'
  return facts.hasSizes ? 'bytes' : 'entries'
}

/** `by` is what was asked for, or `boundOf`; a bare number is entries unless `by` was asked to be bytes. */
export function cacheSizeOf(
  written: WrittenSize,
  { by, isAsked }: { readonly by: Bound; readonly isAsked: boolean },
  facts: TraceFacts,
): CacheSize {
  const bound = written.kind === 'count' && !isAsked ? 'entries' : by
  const whole = bound === 'bytes' ? facts.bytes : facts.distinct
  const capacity =
    written.kind === 'share' ? Math.max(1, Math.round(whole * written.share)) : written.capacity
  return { by: bound, capacity, share: capacity / Math.max(1, whole) }
}

/** From a hundredth to half of everything: where policies differ. */
export const DEFAULT_SIZES: readonly WrittenSize[] = [0.01, 0.05, 0.1, 0.2, 0.5].map((share) => ({
  kind: 'share',
  share,
}))

/** More of them, evenly on a logarithmic scale, for a curve. */
export const CURVE_SIZES: readonly WrittenSize[] = [
  0.002, 0.005, 0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.14, 0.2, 0.28, 0.4, 0.56, 0.8,
].map((share) => ({ kind: 'share', share }))
