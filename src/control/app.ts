/**
 * The admin API as a Hono app over the table of routes: who may call, what a path means, how an error looks.
 */
import type { IncomingMessage } from 'node:http'
import { Hono } from 'hono'
import { EdgeError } from '../base/errors.ts'
import { admit, note, Throttled, type Access } from './access.ts'
import { guardFromBrowsers } from './browser-guard.ts'
import { nodeFor } from './limited-node.ts'
import type { ControlledNode } from './node.ts'
import { describeRoutes } from './openapi.ts'
import { problemResponse, toEdgeError } from './problem.ts'
import { ROUTES, type Route } from './routes.ts'
import { UNIT_NAME } from './shapes.ts'

export interface AppOptions {
  readonly node: ControlledNode
  readonly access: Access
  /** Names that it may be called by, see `browser-guard.ts`. */
  readonly hosts: () => readonly string[] | undefined
  readonly version: string
  /** Where mistakes of the program go. */
  readonly onMistake: (error: EdgeError) => void
}

/** What `@hono/node-server` hands to a request; absent in tests that call the app without a socket. */
interface Bindings {
  readonly incoming?: IncomingMessage
}

export function controlApp({
  node,
  access,
  hosts,
  version,
  onMistake,
}: AppOptions): Hono<{ Bindings: Bindings }> {
  const app = new Hono<{ Bindings: Bindings }>()
  const routes = [...ROUTES, openapiRoute(version)]

  for (const route of routes) {
    app.on(route.method, pattern(route), async (context) => {
      const request = context.req.raw
      guardFromBrowsers(request, { hosts: hosts() })
      const address = context.env?.incoming?.socket.remoteAddress ?? ''
      const who = admit(access, route, { header: request.headers.get('authorization'), address })
      const params = context.req.param() as Readonly<Record<string, string>>
      const { name = '' } = params
      let subject = Object.values(params).join('/')
      const noteSubject = (text: string) => void (subject = text)
      const tell = (error?: EdgeError) => {
        // What edges say by themselves is no change of anybody's.
        const isChange = route.isNoted ?? (route.method !== 'GET' && route.access !== 'edge')
        if (isChange || error?.code === 'forbidden') {
          noteSafely(() => note(access, route, who, address, subject, error))
        }
      }
      try {
        if (/^\/v1\/(?:units|rollouts)\/\{name\}/.test(route.path)) checkName(name)
        const query = new URL(request.url).searchParams
        const call = { node: nodeFor(who, node), request, name, query, params, who, access, noteSubject }
        const answer: unknown = await route.handle(call)
        tell()
        if (answer instanceof Response) return answer
        return context.json(answer as object, 200, { 'cache-control': 'no-store' })
      } catch (error) {
        tell(toEdgeError(error))
        throw error
      }
    })
  }

  /** What was done is done: where it cannot be written down, the operator is told. */
  function noteSafely(write: () => void): void {
    try {
      write()
    } catch (error) {
      onMistake(toEdgeError(error, 'store-failed'))
    }
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
    return problemResponse(error, {
      ...(error.code === 'unauthorized' && { 'www-authenticate': 'Bearer' }),
      ...(error.code === 'upgrading' && { 'retry-after': '1' }),
      ...(error instanceof Throttled && { 'retry-after': String(error.retryAfterSeconds) }),
    })
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
    access: 'read',
    limited: 'may',
    handle: () => Response.json(describeRoutes([...ROUTES, route], version)),
  }
  return route
}

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
