/** The rows of the admin API about limits: what they allowed and refused, and who asked most. */
import { COUNT_TEXT, countOf } from './count-query.ts'
import { LimitShape, LimitTopShape } from './limit-shapes.ts'
import type { Route } from './routes.ts'

export const LIMIT_ROUTES: readonly Route[] = [
  {
    method: 'GET',
    path: '/v1/limits',
    summary: 'The limits of sites, and what they allowed and refused on this node since it started.',
    query: { site: 'of this site alone; empty for those over all sites' },
    answer: [LimitShape],
    access: 'read',
    limited: 'may',
    async handle({ node, query }) {
      const limits = await node.limits()
      const site = query.get('site')
      if (site === null) return limits
      const found = limits.filter((limit) => limit.site === site)
      // It may have none: that there is such a site, and who may see it, is asked of the node.
      if (found.length === 0 && site !== '') node.site(site)
      return found
    },
  },
  {
    method: 'GET',
    path: '/v1/limits/top',
    summary:
      'Who asked most of a limit on this node in the last minutes, allowed or not: addresses with the prefixes around them, or what else it counts by. Estimated.',
    query: {
      name: 'of the limit',
      site: 'whose it is, empty for one over all sites; may be left out where one limit alone has the name',
      count: COUNT_TEXT,
    },
    answer: [LimitTopShape],
    access: 'read',
    limited: 'may',
    handle: ({ node, query }) =>
      node.limitTop(
        { name: query.get('name') ?? '', site: query.get('site') ?? undefined },
        countOf(query.get('count')),
      ),
  },
]
