/** The row of the admin API about purges of caches. */
import { readBody } from './body.ts'
import { defined } from './defined.ts'
import { EdgePurgeBody, PurgeBody, PurgeShape } from './purge-shapes.ts'
import type { Route } from './routes.ts'

export const PURGE_ROUTES: readonly Route[] = [
  {
    method: 'POST',
    path: '/v1/purge',
    summary:
      'Takes out of all caches what the URLs, prefixes and tags mean, or all of a site, or everything; with `soft` it is stale instead. Answered when nothing from before it is given to anybody any more. `onTimeout` is not for it: it goes on.',
    body: PurgeBody,
    answer: PurgeShape,
    access: 'deploy',
    limited: 'may',
    async handle({ node, request }) {
      const { urls, prefixes, tags, site, soft, wait, timeoutMs, edges } = await readBody(request, PurgeBody)
      const scope = defined({ urls, prefixes, tags, sites: site === undefined ? undefined : [site] })
      return node.purge({ ...scope, soft }, { wait, timeoutMs, ...defined({ edges }) })
    },
  },
  {
    method: 'POST',
    path: '/v1/edges/purge',
    summary: 'For edges: a purge that a unit there asks for.',
    body: EdgePurgeBody,
    answer: PurgeShape,
    access: 'edge',
    async handle({ node, request }) {
      const { soft, ...scope } = await readBody(request, EdgePurgeBody)
      return node.purge({ ...defined(scope), soft }, { wait: 'stored', timeoutMs: 10_000 })
    },
  },
]
