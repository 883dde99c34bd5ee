/** The rows of the admin API about what caches hold and did. */
import { EdgeError } from '../base/errors.ts'
import { COUNT_TEXT, countOf } from './count-query.ts'
import { CacheShape, ExplainedShape, TopObjectShape } from './cache-shapes.ts'
import type { ControlledNode } from './node.ts'
import type { Route } from './routes.ts'

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
      count: COUNT_TEXT,
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
  {
    method: 'GET',
    path: '/v1/cache/explain',
    summary:
      'What the cache makes of a GET of a URL, before units have seen it: its key, what the origin would be asked for, and what stands in memory under the key, by worker.',
    query: {
      url: 'with http or https, and a host',
      header: 'of the request, as `Name: value`; again for more',
    },
    answer: ExplainedShape,
    access: 'read',
    limited: 'may',
    handle: ({ node, query }) =>
      node.explainCache(query.get('url') ?? '', query.getAll('header').flatMap(fieldOf)),
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

function fieldOf(line: string): readonly [name: string, value: string] {
  const colon = line.indexOf(':')
  const name = line.slice(0, Math.max(0, colon)).toLowerCase()
  if (!/^[\w!#$%&'*+.^`|~-]+$/.test(name))
    throw new EdgeError('request-invalid', `header=${line}: expected \`Name: value\``)
  return [name, line.slice(colon + 1).trim()]
}
