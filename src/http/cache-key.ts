/**
 * What answers are kept under: who was asked, and for what; and while a new version of a unit is on its way, which of its clients have it.
 *
 *     https://example.com/a            everybody
 *     https://example.com/a page@2     clients that have page@2 already
 *
 *     shop https://example.com/a       of the site `shop`, in a store that several share
 *
 * A target holds no space, so no client can write such a key. What clients of a new version left is met by nobody once it is live or rolled
 * back, and makes room for others in time.
 */
import type { RequestHead } from '../wire/http1/message.ts'
import type { ResponseCache } from './caching/response-cache.ts'
import type { Client } from './client.ts'
import type { Exchange } from './exchange.ts'
import type { Site } from './sites.ts'

/** Marks of one cache that are known; the oldest are of rollouts that are over. */
const MARKS_MAX = 64
const marksOf = new WeakMap<ResponseCache, Set<string>>()

export function cacheKey({ client, plan, site }: Exchange, head: RequestHead): string {
  const key = site!.cacheSpace + plainKey(client, head, head.target)
  const { cacheMark } = plan
  if (cacheMark === '') return key
  remember(site!.cache!, cacheMark)
  return `${key} ${cacheMark}`
}

/** All that a target may be kept under: a write is of consequence for every version. */
export function keysOf(
  { cache, cacheSpace: space }: Pick<Site, 'cache' | 'cacheSpace'>,
  client: Client,
  head: RequestHead,
  target: string,
): readonly string[] {
  const key = space + plainKey(client, head, target)
  const marks = marksOf.get(cache!)
  return marks === undefined ? [key] : [key, ...Array.from(marks, (mark) => `${key} ${mark}`)]
}

const plainKey = (client: Client, head: RequestHead, target: string): string =>
  `${client.keyPrefix}${head.authority}${target}`

function remember(cache: ResponseCache, mark: string): void {
  let marks = marksOf.get(cache)
  if (marks === undefined) marksOf.set(cache, (marks = new Set()))
  if (marks.has(mark)) return
  const [oldest] = marks
  if (marks.size === MARKS_MAX) marks.delete(oldest!)
  marks.add(mark)
}
