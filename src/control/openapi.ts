/** The OpenAPI 3.1 description of the admin API, made from the table of routes and the shapes they use. */
import { toJsonSchema, type JsonSchema } from './json-schema.ts'
import type { Route } from './routes.ts'
import { ProblemDetailsShape, UNIT_NAME } from './shapes.ts'

export function describeRoutes(routes: readonly Route[], version: string): JsonSchema {
  const paths: Record<string, Record<string, JsonSchema>> = {}
  for (const route of routes) {
    paths[route.path] = { ...paths[route.path], [route.method.toLowerCase()]: describeRoute(route) }
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Orla admin API', version },
    paths,
    components: {
      schemas: { Problem: toJsonSchema(ProblemDetailsShape) },
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
    },
  }
}

const NAME_WORDS: Readonly<Record<string, string>> = {
  sites: 'the site',
  certificates: 'the certificate',
  edges: 'the edge',
}

const PATH_WORDS = {
  namespace: 'the name of a unit, or what units say in their field `kv`',
  key: 'the key, percent-encoded; slashes may stand as they are',
}

function describeRoute(route: Route): JsonSchema {
  const parameters = [
    ...(route.path.includes('{name}') ? [nameParameter(route.path)] : []),
    ...Object.entries(PATH_WORDS).flatMap(([name, words]) =>
      route.path.includes(`{${name}}`) ? [parameter(name, 'path', words, { type: 'string' })] : [],
    ),
    ...Object.entries(route.query ?? {}).map(([name, words]) =>
      parameter(name, 'query', words, { type: 'string' }),
    ),
  ]
  return {
    summary: route.summary,
    ...(route.access === 'open' ? {} : { description: accessWords(route) }),
    operationId: operationId(route),
    parameters,
    ...(route.body ? { requestBody: { content: json(toJsonSchema(route.body)) } } : {}),
    responses: {
      200: { description: 'done', content: answerContent(route.answer) },
      default: {
        description: 'refused or failed, as RFC 9457 problem details',
        content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
      },
    },
    security: route.access === 'open' ? [] : route.access === 'local' ? [{}, { token: [] }] : [{ token: [] }],
  }
}

function accessWords({ access, limited }: Route): string {
  if (access === 'local') return 'Needs a token with the role `read`, but not from this machine.'
  const only =
    limited === 'may' ? '; one that is limited to sites sees and changes what lies within them' : ''
  return `Needs a token with the role \`${access}\`${only}.`
}

const nameParameter = (path: string) =>
  path.startsWith('/v1/units/')
    ? parameter('name', 'path', 'the unit', { type: 'string', pattern: UNIT_NAME.source })
    : parameter('name', 'path', NAME_WORDS[path.split('/')[2]!] ?? 'id or name of the token', {
        type: 'string',
      })

function answerContent(answer: Route['answer']): JsonSchema {
  if (typeof answer === 'string') return { [answer]: { schema: { type: 'string' } } }
  if ('length' in answer) return json({ type: 'array', items: toJsonSchema(answer[0]) })
  return json(toJsonSchema(answer))
}

const json = (schema: JsonSchema): JsonSchema => ({ 'application/json': { schema } })

const parameter = (name: string, place: 'path' | 'query', description: string, schema: JsonSchema) => ({
  name,
  in: place,
  required: place === 'path',
  description,
  schema,
})

/** `PUT /v1/units/{name}/env` becomes `put-units-name-env`. */
const operationId = ({ method, path }: Route) =>
  [method.toLowerCase(), ...path.split('/').filter((part) => part !== '' && part !== 'v1')]
    .join('-')
    .replaceAll(/[{}]/g, '')
