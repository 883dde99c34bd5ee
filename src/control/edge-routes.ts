/** The rows of the admin API about edges: what they ask themselves, and what is asked about them. */
import type { KvUplinkBatch } from '../contract/kv-replication.ts'
import type { EdgeReport } from '../contract/replication.ts'
import { readBody } from './body.ts'
import * as shapes from './edge-shapes.ts'
import type { Route } from './routes.ts'

export const EDGE_ROUTES: readonly Route[] = [
  {
    method: 'GET',
    path: '/v1/edges',
    summary: 'The edge nodes: what each runs, how far it has read, and how soon it runs what is published.',
    answer: [shapes.EdgeShape],
    access: 'read',
    handle: ({ node }) => node.edges(),
  },
  {
    method: 'DELETE',
    path: '/v1/edges/{name}',
    summary: 'Forgets an edge: nothing waits for it any more, and nothing is kept for it. It may come again.',
    answer: shapes.EdgeShape,
    access: 'admin',
    handle: ({ node, name }) => node.forgetEdge(name),
  },
  {
    method: 'POST',
    path: '/v1/edges/follow',
    summary:
      'For edges: what is new in the log from where they stand, as events `welcome`, `entries`, `reset`, `state`, `loaded` and `beat`.',
    body: shapes.FollowBody,
    answer: 'text/event-stream',
    access: 'edge',
    async handle({ node, request, access, who }) {
      const hello = await readBody(request, shapes.FollowBody)
      const stream = node.follow(hello, { token: who.name, isAdmin: who.role === 'admin' }, () =>
        access.tokens.isValid(who),
      )
      return new Response(stream, {
        headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-store' },
      })
    },
  },
  {
    method: 'POST',
    path: '/v1/edges/report',
    summary: 'For edges: what they run now.',
    body: shapes.ReportBody,
    answer: 'application/json',
    access: 'edge',
    async handle({ node, request, who }) {
      const report = (await readBody(request, shapes.ReportBody)) as EdgeReport
      node.report(report, { token: who.name, isAdmin: who.role === 'admin' })
      return {}
    },
  },
  {
    method: 'POST',
    path: '/v1/edges/kv',
    summary: 'For edges: changes of key/value data, to be ordered among those of all nodes.',
    body: shapes.KvBatchBody,
    answer: [shapes.KvAnswerShape],
    access: 'edge',
    handle: async ({ node, request, who }) =>
      node.orderKv((await readBody(request, shapes.KvBatchBody)) as KvUplinkBatch, who.id),
  },
  {
    method: 'GET',
    path: '/v1/edges/key',
    summary: 'For edges: the key that secrets of units are sealed with.',
    answer: shapes.EdgeKeyShape,
    access: 'edge',
    isNoted: true,
    handle: ({ node }) => ({ key: node.secretKey() }),
  },
]
