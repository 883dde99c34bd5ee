/** The rows of the admin API about bans. */
import { EdgeError } from '../base/errors.ts'
import {
  BanBody,
  BanChangedShape,
  BanListShape,
  EdgeBansBody,
  EdgeBansShape,
  UnbanBody,
  UnbannedShape,
} from './ban-shapes.ts'
import { readBody } from './body.ts'
import { defined } from './defined.ts'
import type { Route } from './routes.ts'

const LIMIT_DEFAULT = 1000
const LIMIT_MAX = 1_000_000
/** Of what was banned, in the audit log. */
const SUBJECT_PREFIXES_MAX = 10

export const BAN_ROUTES: readonly Route[] = [
  {
    method: 'GET',
    path: '/v1/bans',
    summary: 'Who is kept out, until when, why, and who asked for it; and who never is.',
    query: {
      address: 'only bans of this address, or around or within this prefix',
      limit: `at most so many, the newest first (${LIMIT_DEFAULT} unless said)`,
    },
    answer: BanListShape,
    access: 'read',
    handle: ({ node, query }) =>
      node.bans({
        ...defined({ address: query.get('address') ?? undefined }),
        limit: limitFrom(query.get('limit')),
      }),
  },
  {
    method: 'POST',
    path: '/v1/bans',
    summary:
      'Keeps addresses and prefixes out for a time: all of them or none. Answered when nobody of these is let in any more, and connections of theirs are closed. `onTimeout` is not for it: it goes on.',
    body: BanBody,
    answer: BanChangedShape,
    access: 'deploy',
    async handle({ node, request, who, noteSubject }) {
      const { prefixes, forMs, reason, force, wait, timeoutMs, edges } = await readBody(request, BanBody)
      noteSubject(subjectOf(prefixes))
      const options = { wait, timeoutMs, ...defined({ edges }) }
      return node.ban({ prefixes, forMs, reason, force }, who.name, options)
    },
  },
  {
    method: 'DELETE',
    path: '/v1/bans',
    summary: 'Lets addresses and prefixes in again, as they were banned: all of them or none; or everybody.',
    body: UnbanBody,
    answer: UnbannedShape,
    access: 'deploy',
    async handle({ node, request, noteSubject }) {
      const { prefixes, wait, timeoutMs, edges } = await readBody(request, UnbanBody)
      noteSubject(prefixes === undefined ? 'all' : subjectOf(prefixes))
      return node.unban(prefixes ?? 'all', { wait, timeoutMs, ...defined({ edges }) })
    },
  },
  {
    method: 'POST',
    path: '/v1/edges/bans',
    summary: 'For edges: bans that were asked for there. What became of each, in their order.',
    body: EdgeBansBody,
    answer: EdgeBansShape,
    access: 'edge',
    async handle({ node, request }) {
      const { bans } = await readBody(request, EdgeBansBody)
      return { outcomes: await node.orderBans(bans) }
    },
  },
]

function limitFrom(text: string | null): number {
  if (text === null) return LIMIT_DEFAULT
  const limit = /^\d{1,7}$/.test(text) ? Number(text) : 0
  if (limit >= 1 && limit <= LIMIT_MAX) return limit
  throw new EdgeError('request-invalid', `\`limit\`: expected a whole number from 1 to ${LIMIT_MAX}`)
}

const subjectOf = (prefixes: readonly string[]): string => {
  const more = prefixes.length - SUBJECT_PREFIXES_MAX
  const first = prefixes.slice(0, SUBJECT_PREFIXES_MAX).join(' ')
  return more > 0 ? `${first} and ${more} more` : first
}
