/** Key/value data of units by the admin API: values go in and out as the bytes that they are. */
import { EdgeError } from '../base/errors.ts'
import { parseDuration } from '../base/quantity.ts'
import { KV_LIST_MAX } from '../contract/kv.ts'
import { readBytes } from './body.ts'
import type { Call, Route } from './routes.ts'
import { KvNamespaceShape, KvPageShape, KvWrittenShape, UNIT_NAME } from './shapes.ts'

const ONE = '/v1/kv/{namespace}/{key}'
const durable = 'when given, done when it is on the disk, not only visible'
const strong = 'when given, asked of whoever orders the changes of all nodes, not of this node'

export const KV_ROUTES: readonly Route[] = [
  {
    method: 'GET',
    path: '/v1/kv',
    summary: 'The namespaces of key/value data, and what each holds.',
    answer: [KvNamespaceShape],
    access: 'read',
    handle: ({ node }) => node.kv.namespaces().toSorted((a, b) => (a.namespace < b.namespace ? -1 : 1)),
  },
  {
    method: 'GET',
    path: '/v1/kv/{namespace}',
    summary: 'Keys of a namespace, in the order of their bytes.',
    query: {
      prefix: 'only keys that begin so',
      limit: `1 to ${KV_LIST_MAX}, the default`,
      cursor: 'where the page before ended',
    },
    answer: KvPageShape,
    access: 'read',
    handle(call) {
      const { node, query } = call
      const limit = limitOf(query.get('limit'))
      return node.kv.list(namespaceOf(call), query.get('prefix') ?? '', limit, query.get('cursor') ?? '')
    },
  },
  {
    method: 'GET',
    path: ONE,
    summary: 'The value of a key, as it is.',
    query: { strong },
    answer: 'application/octet-stream',
    access: 'read',
    async handle(call) {
      const namespace = namespaceOf(call)
      const { key = '' } = call.params
      const { kv } = call.node
      const value = call.query.has('strong')
        ? (await kv.change({ op: 'get', namespace, key }, {})).bytes
        : kv.get(namespace, key)
      if (value === undefined)
        throw new EdgeError('kv-unknown', `${namespace} has no key ${JSON.stringify(key)}`)
      return new Response(Buffer.from(value), {
        headers: { 'content-type': 'application/octet-stream', 'cache-control': 'no-store' },
      })
    },
  },
  {
    method: 'PUT',
    path: ONE,
    summary: 'Sets a key to the body. Done when every worker sees it.',
    query: {
      ttl: 'how long it stays, such as `90s`; absent: for ever',
      durable,
      strong,
      ifValue: 'only where the key holds this text; strong',
      ifAbsent: 'when given, only where there is no such key; strong',
    },
    answer: KvWrittenShape,
    access: 'deploy',
    async handle(call) {
      const namespace = namespaceOf(call)
      const { key = '' } = call.params
      const value = await readBytes(call.request)
      const ttlMs = ttlOf(call.query.get('ttl'))
      const place = { namespace, key, value, ttlMs }
      const expected = expectedOf(call)
      if (expected === undefined) await call.node.kv.change({ op: 'put', ...place }, askedOf(call))
      else {
        const set = await call.node.kv.change({ op: 'compareAndSet', expected, ...place }, askedOf(call))
        if (set.value === 0)
          throw new EdgeError('kv-mismatch', `${namespace} has something else at ${JSON.stringify(key)}`)
      }
      return { namespace, key, bytes: value.length }
    },
  },
  {
    method: 'DELETE',
    path: ONE,
    summary: 'Deletes a key. `bytes` is 0 then.',
    query: { durable, strong },
    answer: KvWrittenShape,
    access: 'deploy',
    async handle(call) {
      const namespace = namespaceOf(call)
      const { key = '' } = call.params
      const deleted = await call.node.kv.change({ op: 'delete', namespace, key }, askedOf(call))
      if (deleted.value === 0)
        throw new EdgeError('kv-unknown', `${namespace} has no key ${JSON.stringify(key)}`)
      return { namespace, key, bytes: 0 }
    },
  },
]

function namespaceOf({ params }: Call): string {
  const { namespace = '' } = params
  if (UNIT_NAME.test(namespace)) return namespace
  throw new EdgeError(
    'request-invalid',
    `\`${namespace}\` cannot be a namespace: it is the name of a unit, or what units say in their field \`kv\``,
  )
}

const askedOf = ({ query }: Call) => ({ durable: query.has('durable'), strong: query.has('strong') })

/** What the key has to hold; null: nothing; undefined: whatever it is. */
function expectedOf({ query }: Call): Uint8Array | null | undefined {
  const text = query.get('ifValue')
  if (!query.has('ifAbsent')) return text === null ? undefined : Buffer.from(text)
  if (text === null) return null
  throw new EdgeError('request-invalid', 'a key that holds something is not absent: `ifValue` or `ifAbsent`')
}

function limitOf(text: string | null): number {
  const limit = text === null ? KV_LIST_MAX : Number(text)
  if (Number.isInteger(limit) && limit >= 1 && limit <= KV_LIST_MAX) return limit
  throw new EdgeError('request-invalid', `\`limit\`: expected 1 to ${KV_LIST_MAX}, not \`${text}\``)
}

function ttlOf(text: string | null): number {
  if (text === null) return 0
  const ms = parseDuration(text)
  if (ms !== undefined && ms >= 1) return ms
  throw new EdgeError('request-invalid', `\`ttl\`: expected a time such as \`90s\`, not \`${text}\``)
}
