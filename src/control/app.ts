/**
 * The admin API as a Hono app over the table of routes: who may call, what a path means, how an error looks.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { Hono } from 'hono'
import { EdgeError } from '../base/errors.ts'
import type { ControlledNode } from './node.ts'
import { describeRoutes } from './openapi.ts'
import { problemResponse, toEdgeError } from './problem.ts'
import { ROUTES, type Route } from './routes.ts'
import { UNIT_NAME } from './shapes.ts'

export interface AppOptions {
  readonly node: ControlledNode
  readonly token: string
  readonly version: string
  /** Where mistakes of the program go. */
  readonly onMistake: (error: EdgeError) => void
}

/** What `@hono/node-server` hands to a request; absent in tests that call the app without a socket. */
interface Bindings {
  readonly incoming?: IncomingMessage
}

export function controlApp({ node, token, version, onMistake }: AppOptions): Hono<{ Bindings: Bindings }> {
  const app = new Hono<{ Bindings: Bindings }>()
  const routes = [...ROUTES, openapiRoute(version)]

  for (const route of routes) {
    app.on(route.method, pattern(route), async (context) => {
      const request = context.req.raw
      authorize(route, request.headers.get('authorization'), token, context.env?.incoming)
      const name = context.req.param('name') ?? ''
      if (route.path.startsWith('/v1/units/{name}')) checkName(name)
      const query = new URL(request.url).searchParams
      const params = context.req.param() as Readonly<Record<string, string>>
      const answer: unknown = await route.handle({ node, request, name, query, params })
      if (answer instanceof Response) return answer
      return context.json(answer as object, 200, { 'cache-control': 'no-store' })
    })
  }

  app.notFound((context) => {
    const path = new URL(context.req.url).pathname
    const methods = routes.filter((route) => matches(route.path, path)).map((route) => route.method)
    if (methods.length === 0)
      return problemResponse(new EdgeError('route-unknown', `there is no ${path} here`))
    return problemResponse(new EdgeError('method-unknown', `${path} takes ${methods.join(', ')}`), {
      allow: methods.join(', '),
    })
  })
  app.onError((thrown) => {
    const error = toEdgeError(thrown)
    if (error.code === 'internal') onMistake(error)
    return problemResponse(error, error.code === 'unauthorized' ? { 'www-authenticate': 'Bearer' } : {})
  })
  return app
}

/** As Hono writes it. A key may hold slashes. */
const pattern = ({ path }: Route) => path.replace('{key}', ':key{.+}').replaceAll(/\{([a-z]+)\}/g, ':$1')

/** The description describes itself, too. */
function openapiRoute(version: string): Route {
  const route: Route = {
    method: 'GET',
    path: '/v1/openapi.json',
    summary: 'This description.',
    answer: 'application/json',
    access: 'token',
    handle: () => Response.json(describeRoutes([...ROUTES, route], version)),
  }
  return route
}

function authorize(
  route: Route,
  header: string | null,
  token: string,
  incoming: IncomingMessage | undefined,
): void {
  if (route.access === 'open') return
  if (route.access === 'local' && isLoopback(incoming?.socket.remoteAddress)) return
  const given = /^Bearer +(.+)$/i.exec(header ?? '')?.[1]
  if (given === undefined) throw new EdgeError('unauthorized', 'no token was given')
  if (!isSame(given, token)) throw new EdgeError('unauthorized', 'the token is not the right one')
}

/** In constant time: digests have one length, whatever was sent. */
function isSame(given: string, token: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(given), digest(token))
}

const isLoopback = (address = '') => /^(127\.|::1$|::ffff:127\.)/.test(address)

function checkName(name: string): void {
  if (UNIT_NAME.test(name)) return
  throw new EdgeError(
    'request-invalid',
    `\`${name}\` cannot be the name of a unit: 1 to 63 of a-z, 0-9 and \`-\`, the first not \`-\``,
    { hint: 'name it after what it does, such as `token-auth`' },
  )
}

const matches = (pattern: string, path: string) =>
  new RegExp(
    `^${pattern
      .replaceAll('.', '\\.')
      .replace('{key}', '.+')
      .replaceAll(/\{\w+\}/g, '[^/]+')}$`,
  ).test(path)
