/** The rows of the admin API about what caches hold and did. */
import { EdgeError } from '../base/errors.ts'
import { CacheShape, TopObjectShape } from './cache-shapes.ts'
import type { ControlledNode } from './node.ts'
import type { Route } from './routes.ts'

const TOP_DEFAULT = 20
const TOP_MAX = 500

export const CACHE_ROUTES: readonly Route[] = [
  {
    method: 'GET',
    path: '/v1/cache',
    summary:
      'What the caches of sites hold and did, on this node since it started or the cache of the site changed. Sums over the workers.',
    query: { site: 'of this site alone' },
    answer: [CacheShape],
    access: 'read',
    limited: 'may',
    async handle({ node, query }) {
      const { caches } = await node.caches(0)
      return ofSite(caches, node, query.get('site'))
    },
  },
  {
    method: 'GET',
    path: '/v1/cache/top',
    summary: 'The most wanted objects of the caches, by hits: estimated from a sample.',
    query: {
      site: 'of this site alone',
      count: `how many at most: 1 to ${TOP_MAX}, ${TOP_DEFAULT} unless said`,
    },
    answer: [TopObjectShape],
    access: 'read',
    limited: 'may',
    async handle({ node, query }) {
      const count = countOf(query.get('count'))
      const { top } = await node.caches(count)
      return ofSite(top, node, query.get('site')).slice(0, count)
    },
  },
]

/** What is of one site. It may have nothing to tell: that there is such a site, and who may see it, is asked of the node. */
function ofSite<T extends { readonly site: string }>(
  all: readonly T[],
  node: ControlledNode,
  site: string | null,
): readonly T[] {
  if (site === null) return all
  const found = all.filter((one) => one.site === site)
  if (found.length === 0) node.site(site)
  return found
}

function countOf(text: string | null): number {
  if (text === null) return TOP_DEFAULT
  const count = Number(text)
  if (!/^\d+$/.test(text) || count < 1 || count > TOP_MAX)
    throw new EdgeError('request-invalid', `count=${text}: expected a number from 1 to ${TOP_MAX}`)
  return count
}
