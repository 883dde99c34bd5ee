/** The rows of the admin API about sites and the configuration file. */
import * as v from 'valibot'
import { EdgeError } from '../base/errors.ts'
import { readBody } from './body.ts'
import type { ChangeOptions, Expectation } from './node.ts'
import { OriginShape } from './origin-shapes.ts'
import type { Route } from './routes.ts'
import * as shapes from './shapes.ts'

const CONDITIONS =
  'With `If-Match: "VERSION"` only where the site is at that version still, with `If-None-Match: *` only where there is none.'

const WAIT_QUERY = {
  wait: 'when it counts as done: `stored`, `edges` or `all`, which is the default',
  timeoutMs: 'how long to wait for that, in milliseconds',
  edges: 'with `wait=edges`: how many nodes, or names of edges, separated by commas; a majority unless said',
  onTimeout: '`keep`, which is the default, or `withdraw`',
}

export const SITE_ROUTES: readonly Route[] = [
  {
    method: 'GET',
    path: '/v1/origins',
    summary: 'How the endpoints of the origins do: health, share, what is under way. Sums over the workers.',
    answer: [OriginShape],
    access: 'read',
    limited: 'may',
    handle: ({ node }) => node.origins(),
  },
  {
    method: 'GET',
    path: '/v1/sites',
    summary: 'All sites, ordered by name.',
    answer: [shapes.SiteShape],
    access: 'read',
    limited: 'may',
    handle: ({ node }) => node.sites(),
  },
  {
    method: 'POST',
    path: '/v1/sites',
    summary: 'Sets the sites of the list, all of them or none, and leaves the others.',
    body: shapes.SitesBody,
    answer: shapes.SiteChangeShape,
    access: 'deploy',
    limited: 'may',
    async handle({ node, request }) {
      const { sites, ...options } = await readBody(request, shapes.SitesBody)
      return node.setSites(sites, {}, options)
    },
  },
  {
    method: 'PUT',
    path: '/v1/sites',
    summary: 'Makes the sites those of the list: what is not in it is removed.',
    body: shapes.SitesBody,
    answer: shapes.SiteChangeShape,
    access: 'deploy',
    limited: 'may',
    async handle({ node, request }) {
      const { sites, ...options } = await readBody(request, shapes.SitesBody)
      return node.setSites(sites, { replaceAll: true }, options)
    },
  },
  {
    method: 'GET',
    path: '/v1/sites/{name}',
    summary: 'One site, as it was written. `ETag` holds its version.',
    answer: shapes.SiteShape,
    access: 'read',
    limited: 'may',
    handle({ node, name }) {
      const site = node.site(name)
      return Response.json(site, { headers: { etag: `"${site.version}"`, 'cache-control': 'no-store' } })
    },
  },
  {
    method: 'PUT',
    path: '/v1/sites/{name}',
    summary: `Sets one site; the body is the site as the configuration file has it. Without \`hosts\` its name is its host. ${CONDITIONS}`,
    query: WAIT_QUERY,
    body: shapes.SiteBody,
    answer: shapes.SiteChangeShape,
    access: 'deploy',
    limited: 'may',
    async handle({ node, name, request, query }) {
      const site = withName(await readBody(request, shapes.SiteBody), name)
      return node.setSites([site], expectation(request), waiting(query))
    },
  },
  {
    method: 'DELETE',
    path: '/v1/sites/{name}',
    summary: `Removes a site; requests in flight finish with it. ${CONDITIONS}`,
    body: shapes.WaitBody,
    answer: shapes.SiteChangeShape,
    access: 'deploy',
    limited: 'may',
    handle: async ({ node, name, request }) =>
      node.removeSite(name, expectation(request).expected, await readBody(request, shapes.WaitBody)),
  },
  {
    method: 'POST',
    path: '/v1/reload',
    summary:
      'Reads the configuration file again and makes its sites and limits live. What is wrong with it changes nothing.',
    body: shapes.WaitBody,
    answer: shapes.ReloadShape,
    access: 'admin',
    handle: async ({ node, request }) => node.reload(await readBody(request, shapes.WaitBody)),
  },
  {
    method: 'POST',
    path: '/v1/upgrade',
    summary:
      'Starts the program that stands where this one was started from, and hands over to it: sockets, store and all. No connection is refused. Answered when it serves; where it does not come, this one goes on.',
    answer: shapes.UpgradeShape,
    access: 'admin',
    handle: async ({ node }) => node.upgrade(),
  },
]

/** The name in the path counts; where the hosts give the same one, and are all its own, the site need not say it. */
function withName(site: Readonly<Record<string, unknown>>, name: string): Readonly<Record<string, unknown>> {
  const { name: given, hosts, paths } = site
  if (given !== undefined && given !== name) {
    throw new EdgeError(
      'request-invalid',
      `the body is called \`${String(given)}\`, and the path \`${name}\``,
    )
  }
  if (given !== undefined) return site
  if (paths !== undefined) return { name, ...(hosts === undefined && { hosts: [name] }), ...site }
  if (hosts === undefined) return { hosts: [name], ...site }
  return Array.isArray(hosts) && hosts[0] === name ? site : { name, ...site }
}

function expectation({ headers }: Request): { readonly expected?: Expectation } {
  const match = headers.get('if-match')
  const none = headers.get('if-none-match')
  if (none === '*' && match === null) return { expected: 'none' }
  if (none !== null) throw new EdgeError('request-invalid', '`If-None-Match` takes `*` alone')
  if (match === null) return {}
  if (match === '*') return { expected: 'any' }
  const version = /^"(\d{1,15})"$/.exec(match.trim())?.[1]
  if (version !== undefined) return { expected: Number(version) }
  throw new EdgeError('request-invalid', `\`If-Match\` takes "VERSION" or *, not \`${match}\``)
}

/** As a body says it elsewhere; here the body is the site. */
function waiting(query: URLSearchParams): ChangeOptions {
  const [wait, timeoutMs, edges, onTimeout] = Object.keys(WAIT_QUERY).map(
    (name) => query.get(name) ?? undefined,
  )
  const result = v.safeParse(shapes.WaitBody, {
    ...(wait !== undefined && { wait }),
    ...(timeoutMs !== undefined && { timeoutMs: Number(timeoutMs) }),
    ...(edges !== undefined && { edges: /^\d+$/.test(edges) ? Number(edges) : edges.split(',') }),
    ...(onTimeout !== undefined && { onTimeout }),
  })
  if (result.success) return result.output
  const [issue] = result.issues
  throw new EdgeError('request-invalid', `\`${v.getDotPath(issue)}\`: ${issue.message}`)
}
