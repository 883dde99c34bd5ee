/**
 * Which of a query's parameters tell answers apart, and in which order.
 *
 * A parameter is what stands between two `&`, its name what stands before the first `=` in it. Names are compared decoded, so that
 * `utm%5Fsource` is `utm_source`; what stays, stays as it was written. Whatever an origin makes of separators and encodings, it is asked
 * for what is left here and nothing else: so its reading of a query may differ from ours and still no answer stands under a key that
 * does not hold all it was made from.
 */
import type { SiteCacheConfig } from '../../../config/schema.ts'

/** A target in, the target that the key holds out. */
export type QueryRule = (target: string) => string

type NameTest = (name: string) => boolean

/** Undefined: every target stands for itself. */
export function compileQuery({
  query,
  sortQuery,
}: Pick<SiteCacheConfig['key'], 'query' | 'sortQuery'>): QueryRule | undefined {
  if (query === 'none') return withoutQuery
  if (query === 'all' && !sortQuery) return undefined
  const stays = query === 'all' ? undefined : staying(query)
  return (target) => {
    const mark = target.indexOf('?')
    if (mark < 0) return target
    const parts = target
      .slice(mark + 1)
      .split('&')
      .filter((part) => part !== '' && (stays === undefined || stays(nameOf(part))))
    if (sortQuery) parts.sort(byName)
    const path = target.slice(0, mark)
    return parts.length === 0 ? path : `${path}?${parts.join('&')}`
  }
}

function withoutQuery(target: string): string {
  const mark = target.indexOf('?')
  return mark < 0 ? target : target.slice(0, mark)
}

/** One of the two is there. */
function staying({ only, except = [] }: Exclude<SiteCacheConfig['key']['query'], string>): NameTest {
  if (only !== undefined) return namesTest(only)
  const isLeftOut = namesTest(except)
  return (name) => !isLeftOut(name)
}

/** `utm_*` stands for all names that begin so. */
function namesTest(patterns: readonly string[]): NameTest {
  const exact = new Set(patterns.filter((pattern) => !pattern.endsWith('*')))
  const starts = patterns.filter((pattern) => pattern.endsWith('*')).map((pattern) => pattern.slice(0, -1))
  return (name) => exact.has(name) || starts.some((start) => name.startsWith(start))
}

function nameOf(part: string): string {
  const name = rawName(part)
  if (!name.includes('%') && !name.includes('+')) return name
  try {
    return decodeURIComponent(name.replaceAll('+', ' '))
  } catch {
    return name
  }
}

function rawName(part: string): string {
  const end = part.indexOf('=')
  return end < 0 ? part : part.slice(0, end)
}

/** Sorting is stable: values of one name keep their order, which means something to origins. */
function byName(a: string, b: string): number {
  const [left, right] = [rawName(a), rawName(b)]
  return left < right ? -1 : left > right ? 1 : 0
}
