/** The rows of the admin API about the log: what stands in it, where it is kept, and going back in it. */
import { EdgeError } from '../base/errors.ts'
import type { LogEntry } from '../contract/store.ts'
import { readBody } from './body.ts'
import type { Route } from './routes.ts'
import { SnapshotShape } from './shapes.ts'
import * as shapes from './store-shapes.ts'

const ENTRIES_MAX = 1000

export const STORE_ROUTES: readonly Route[] = [
  {
    method: 'GET',
    path: '/v1/log',
    summary: `Entries of the store's log in order, at most ${ENTRIES_MAX}, and fewer where they are large: none at its end. 410 for entries that are not kept any more. Values of secrets are encrypted in it.`,
    query: {
      from: 'id of the first entry wanted; without it the first one that is kept',
      last: 'instead: how many of the newest ones',
      limit: `how many at most, up to ${ENTRIES_MAX}`,
      key: 'only of keys that begin with this',
      values: '`false`: without the values',
    },
    answer: [shapes.LogEntryShape],
    access: 'admin',
    handle({ node, query }) {
      const from = numberOf(query, 'from')
      const last = numberOf(query, 'last')
      if (from !== undefined && last !== undefined)
        throw new EdgeError('request-invalid', '`from` and `last` exclude each other')
      const entries = node.searchLog({
        from: last === undefined ? (from ?? node.storeBase() + 1) : undefined,
        prefix: query.get('key') ?? '',
        limit: Math.min(ENTRIES_MAX, last ?? numberOf(query, 'limit') ?? ENTRIES_MAX),
      })
      const withValues = query.get('values') !== 'false'
      return entries.map((entry) => shown(entry, withValues))
    },
  },
  {
    method: 'GET',
    path: '/v1/snapshot',
    summary: 'What the log adds up to, and the position in it.',
    answer: SnapshotShape,
    access: 'admin',
    handle({ node }) {
      const { position, entries } = node.snapshot()
      return { position, entries: Object.fromEntries(entries) }
    },
  },
  {
    method: 'GET',
    path: '/v1/store',
    summary: 'Where the log is kept, how far it has come, what is kept of it, and how far its readers are.',
    answer: shapes.StoreShape,
    access: 'read',
    handle: ({ node }) => node.storeStatus(),
  },
  {
    method: 'POST',
    path: '/v1/store/verify',
    summary:
      'Reads all of the log that is kept here: every id, every hash, and that the state is what it adds up to.',
    answer: shapes.StoreVerdictShape,
    access: 'admin',
    handle: ({ node }) => node.verifyStore(),
  },
  {
    method: 'POST',
    path: '/v1/restore',
    summary:
      'Units and sites become what they were at a position or a time, by a new change at the end of the log: all of it or nothing. Tokens stay as they are now.',
    body: shapes.RestoreBody,
    answer: shapes.RestoreShape,
    access: 'admin',
    async handle({ node, request }) {
      const { at, dryRun, ...options } = await readBody(request, shapes.RestoreBody)
      const to = typeof at === 'number' ? { id: at } : { ms: Date.parse(at) }
      return node.restore(to, { ...options, dryRun })
    },
  },
]

function shown({ value, ...entry }: LogEntry, withValue: boolean): shapes.ShownEntry {
  const bytes = Buffer.byteLength(value)
  return { ...entry, bytes, ...(withValue && { value }) }
}

function numberOf(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name)
  if (text === null) return undefined
  const value = Number(text)
  if (text !== '' && Number.isSafeInteger(value) && value >= 1) return value
  throw new EdgeError('request-invalid', `\`${name}\`: expected a number from 1, not \`${text}\``)
}
