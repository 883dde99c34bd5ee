/**
 * The admin API, one row a route: what it is for, what it takes, what it gives, what it does.
 *
 * The app and `/v1/openapi.json` are made from this table, so that a route cannot exist undescribed.
 */
import type * as v from 'valibot'
import { readBody } from './body.ts'
import { CERTIFICATE_ROUTES } from './certificate-routes.ts'
import { EDGE_ROUTES } from './edge-routes.ts'
import { defined } from './defined.ts'
import { KV_ROUTES } from './kv-routes.ts'
import type { ControlledNode } from './node.ts'
import * as shapes from './shapes.ts'
import { ROLLOUT_ROUTES, rolloutRequest } from './rollout-routes.ts'
import { DNS_ROUTES } from './dns-routes.ts'
import { CACHE_ROUTES } from './cache-routes.ts'
import { BAN_ROUTES } from './ban-routes.ts'
import { LIMIT_ROUTES } from './limit-routes.ts'
import { PURGE_ROUTES } from './purge-routes.ts'
import { SITE_ROUTES } from './site-routes.ts'
import { PACKET_ROUTES } from './packet-routes.ts'
import { SOURCE_ROUTES } from './source-shapes.ts'
import { STORE_ROUTES } from './store-routes.ts'
import type { Access } from './access.ts'
import { ACCESS_ROUTES } from './access-routes.ts'
import { tailStream } from './tail-stream.ts'
import type { Identity, Role } from './tokens.ts'

export interface Call {
  readonly node: ControlledNode
  readonly request: Request
  /** The name of a unit or a site from the path; a unit's is checked. Empty where the path has none. */
  readonly name: string
  readonly query: URLSearchParams
  /** What stands in the path, decoded, by the names in the route. */
  readonly params: Readonly<Record<string, string>>
  /** Whose call it is. */
  readonly who: Identity
  readonly access: Access
  /** What the audit log calls that which is changed, where it does not stand in the path. */
  noteSubject(subject: string): void
}

export interface Route {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE'
  /** As OpenAPI writes it: `/v1/units/{name}`. */
  readonly path: string
  readonly summary: string
  readonly query?: Readonly<Record<string, string>>
  readonly body?: v.GenericSchema
  /** What a 200 holds: a shape, an array of it, or another media type. */
  readonly answer: v.GenericSchema | readonly [v.GenericSchema] | string
  /** Who may call: those whose token has the role; those who may read, and clients on this machine; anybody. */
  readonly access: Role | 'local' | 'open'
  /** `may`: also with a token that is limited to some sites, which then sees and changes what lies within them. */
  readonly limited?: 'may'
  /** It stands in the audit log, though it is no change of somebody's. */
  readonly isNoted?: true
  readonly handle: (call: Call) => unknown
}

type DeployInput = v.InferOutput<typeof shapes.DeployBody>

export const ROUTES: readonly Route[] = [
  {
    method: 'PUT',
    path: '/v1/units/{name}',
    summary: 'Deploys a new version: builds, checks, tries, stores, prepares and flips it.',
    body: shapes.DeployBody,
    answer: shapes.ChangeShape,
    access: 'deploy',
    limited: 'may',
    async handle({ node, name, request }) {
      const body = await readBody(request, shapes.DeployBody)
      const { wait, timeoutMs, edges, onTimeout, entry, env, secrets, tests, signature, ...more } = body
      const { stages, gate, stepForMs, shadow, replace, imported, ...rest } = more
      const rollout = rolloutRequest({ stages, gate, stepForMs, shadow })
      return node.deploy(
        name,
        {
          ...rest,
          ...defined({ tests, signature, rollout, replacesRollout: replace, defaults: imported?.defaults }),
          // Of a source that is followed only the node itself says so: with it comes the Redis behind it.
          ...(imported && { origin: importOrigin(imported) }),
          entry: entry ?? `${name}.${rest.language}`,
          env: defined({ env, secrets }),
        },
        { wait, timeoutMs, onTimeout, ...defined({ edges }) },
      )
    },
  },
  {
    method: 'GET',
    path: '/v1/units',
    summary: 'All units, ordered by name.',
    answer: [shapes.UnitSummaryShape],
    access: 'read',
    limited: 'may',
    handle: ({ node }) => node.units(),
  },
  {
    method: 'GET',
    path: '/v1/units/{name}',
    summary: 'One unit, with its versions and its last errors.',
    answer: shapes.UnitDetailShape,
    access: 'read',
    limited: 'may',
    handle: ({ node, name }) => node.unit(name),
  },
  {
    method: 'DELETE',
    path: '/v1/units/{name}',
    summary: 'Removes a unit with all its versions.',
    body: shapes.WaitBody,
    answer: shapes.ChangeShape,
    access: 'deploy',
    limited: 'may',
    handle: async ({ node, name, request }) => node.remove(name, await readBody(request, shapes.WaitBody)),
  },
  {
    method: 'GET',
    path: '/v1/units/{name}/versions',
    summary: 'The versions that are kept, the newest first.',
    answer: [shapes.VersionShape],
    access: 'read',
    limited: 'may',
    handle: async ({ node, name }) => (await node.unit(name)).versions,
  },
  {
    method: 'POST',
    path: '/v1/units/{name}/rollback',
    summary: 'Makes an earlier version live: the one before, or the one named.',
    body: shapes.RollbackBody,
    answer: shapes.ChangeShape,
    access: 'deploy',
    limited: 'may',
    async handle({ node, name, request }) {
      const { version, ...options } = await readBody(request, shapes.RollbackBody)
      return node.rollback(name, version, options)
    },
  },
  {
    method: 'PUT',
    path: '/v1/units/{name}/env',
    summary: 'Sets the values and secrets of a unit, which makes a new version. What is absent stays.',
    body: shapes.EnvBody,
    answer: shapes.ChangeShape,
    access: 'deploy',
    limited: 'may',
    async handle({ node, name, request }) {
      const { env, secrets, ...options } = await readBody(request, shapes.EnvBody)
      return node.setEnv(name, defined({ env, secrets }), options)
    },
  },
  {
    method: 'POST',
    path: '/v1/units/{name}/disable',
    summary: 'Switches a unit off.',
    body: shapes.WaitBody,
    answer: shapes.ChangeShape,
    access: 'deploy',
    limited: 'may',
    handle: async ({ node, name, request }) =>
      node.setEnabled(name, false, await readBody(request, shapes.WaitBody)),
  },
  {
    method: 'POST',
    path: '/v1/units/{name}/enable',
    summary: 'Switches a unit on again.',
    body: shapes.WaitBody,
    answer: shapes.ChangeShape,
    access: 'deploy',
    limited: 'may',
    handle: async ({ node, name, request }) =>
      node.setEnabled(name, true, await readBody(request, shapes.WaitBody)),
  },
  {
    method: 'POST',
    path: '/v1/disable',
    summary: 'Switches all units off at once.',
    body: shapes.WaitBody,
    answer: shapes.ChangeShape,
    access: 'deploy',
    handle: async ({ node, request }) => node.setAllEnabled(false, await readBody(request, shapes.WaitBody)),
  },
  {
    method: 'POST',
    path: '/v1/enable',
    summary: 'Switches units on again; those that were switched off one by one stay off.',
    body: shapes.WaitBody,
    answer: shapes.ChangeShape,
    access: 'deploy',
    handle: async ({ node, request }) => node.setAllEnabled(true, await readBody(request, shapes.WaitBody)),
  },
  ...ROLLOUT_ROUTES,
  ...KV_ROUTES,
  ...SITE_ROUTES,
  ...CACHE_ROUTES,
  ...DNS_ROUTES,
  ...LIMIT_ROUTES,
  ...PURGE_ROUTES,
  ...BAN_ROUTES,
  ...SOURCE_ROUTES,
  ...PACKET_ROUTES,
  ...CERTIFICATE_ROUTES,
  ...ACCESS_ROUTES,
  {
    method: 'GET',
    path: '/v1/tail',
    summary:
      'What units log and how they fail, as it happens: events `line` (a line) and `dropped` ({count}).',
    query: { unit: 'only of this unit' },
    answer: 'text/event-stream',
    access: 'read',
    limited: 'may',
    handle: ({ node, query, access, who }) =>
      new Response(
        tailStream(node, query.get('unit') ?? undefined, () => access.tokens.isValid(who)),
        {
          headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-store' },
        },
      ),
  },
  ...STORE_ROUTES,
  ...EDGE_ROUTES,
  {
    method: 'GET',
    path: '/metrics',
    summary:
      'Metrics of all workers together, as Prometheus reads them. Needs the token from other machines.',
    answer: 'text/plain',
    access: 'local',
    handle: async ({ node }) =>
      new Response(await node.metrics(), {
        headers: { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' },
      }),
  },
  {
    method: 'GET',
    path: '/healthz',
    summary: 'Answers while the program is alive.',
    answer: 'text/plain',
    access: 'open',
    handle: () => new Response('ok\n', { headers: { 'content-type': 'text/plain' } }),
  },
  {
    method: 'GET',
    path: '/readyz',
    summary:
      'Answers 200 when every worker serves and the store can be written, else 503 and what is in the way.',
    answer: shapes.ReadyShape,
    access: 'open',
    handle({ node }) {
      const problems = node.unready()
      return Response.json(
        { ready: problems.length === 0, problems },
        { status: problems.length === 0 ? 200 : 503 },
      )
    },
  },
]

const importOrigin = ({ source, name, hash }: NonNullable<DeployInput['imported']>) =>
  ({ kind: 'import', source, name, hash }) as const
