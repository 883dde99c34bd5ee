/** What the cache of a site makes of a URL: its key, what the origin would be asked, and what is stored. For operators who wonder. */
import type { CacheExplanation, StoredObject } from '../contract/cache-reading.ts'
import type { HeaderList } from '../wire/http1/message.ts'
import { parseAskedUrl } from './caching/keys/site-key.ts'
import type { StoredResponse } from './caching/stored-response.ts'
import { Client } from './client.ts'
import type { SiteTable } from './sites.ts'

/** Undefined where it is no URL, or no site answers for it. `headers`: of the request, names in lower case. */
export function explainCache(
  sites: SiteTable,
  url: string,
  headers: HeaderList,
  nowMs: number,
): CacheExplanation | undefined {
  const asked = parseAskedUrl(url)
  if (asked === undefined) return undefined
  const { target, scheme } = asked
  const site = sites.find(asked.host, target.split('?', 1)[0]!)
  if (site === undefined) return undefined
  const { cache, cacheKey } = site
  if (cache === undefined || cacheKey === undefined) return { site: site.name, stored: [] }
  const key = cacheKey.of(new Client({ address: '', port: 0, scheme }), { ...asked, headers }, '', undefined)
  const stored = cache.storedAt(key).map((response) => objectOf(response, nowMs))
  return { site: site.name, key, target: cacheKey.targetOf(target), stored }
}

const objectOf = (response: StoredResponse, nowMs: number): StoredObject => ({
  status: response.status,
  ageSeconds: response.ageSeconds(nowMs),
  ttlSeconds: Math.floor(
    (Math.min(Math.max(response.freshUntilMs, 0), Number.MAX_SAFE_INTEGER) - nowMs) / 1000,
  ),
  bytes: response.body.length,
  tags: [...response.tags],
  vary: response.selecting.map(({ name, received }) =>
    received === undefined ? name : `${name}: ${received}`,
  ),
})
