/** The rows of the admin API about tokens and the audit log. */
import { EdgeError } from '../base/errors.ts'
import { readBody } from './body.ts'
import type { Route } from './routes.ts'
import * as shapes from './access-shapes.ts'
import type { NewToken } from './tokens.ts'

const ENTRIES_MAX = 1000

export const ACCESS_ROUTES: readonly Route[] = [
  {
    method: 'GET',
    path: '/v1/whoami',
    summary: 'What the token of this request may.',
    answer: shapes.IdentityShape,
    access: 'read',
    limited: 'may',
    handle: ({ who }) => ({ ...who, sites: who.sites ?? null }),
  },
  {
    method: 'GET',
    path: '/v1/tokens',
    summary: 'All tokens that were made, without their secrets.',
    answer: [shapes.TokenShape],
    access: 'admin',
    handle: ({ access }) => access.tokens.list(),
  },
  {
    method: 'POST',
    path: '/v1/tokens',
    summary: 'Makes a token. Its secret is in this answer, and never again.',
    body: shapes.NewTokenBody,
    answer: shapes.MadeTokenShape,
    access: 'admin',
    handle: async ({ access, request, who, node }) => {
      const body = await readBody(request, shapes.NewTokenBody)
      const known = new Set(node.sites().map(({ name }) => name))
      const missing = body.sites?.find((site) => !known.has(site))
      if (missing !== undefined) throw new EdgeError('site-unknown', `there is no site ${missing}`)
      return access.tokens.create(body as NewToken, who)
    },
  },
  {
    method: 'POST',
    path: '/v1/tokens/{name}/rotate',
    summary:
      'Gives a token another secret, which is in this answer, and never again. The one before counts for `graceMs` more.',
    body: shapes.RotateBody,
    answer: shapes.MadeTokenShape,
    access: 'admin',
    handle: async ({ access, request, name }) =>
      access.tokens.rotate(name, (await readBody(request, shapes.RotateBody)).graceMs),
  },
  {
    method: 'DELETE',
    path: '/v1/tokens/{name}',
    summary: 'Revokes a token: from now on it is not valid.',
    answer: shapes.TokenShape,
    access: 'admin',
    handle: ({ access, name }) => access.tokens.revoke(name),
  },
  {
    method: 'POST',
    path: '/v1/secrets/rotate',
    summary:
      'Seals all secrets of units and keys of certificates with another key, at once or not at all. Nothing that is live changes.',
    body: shapes.SecretKeyBody,
    answer: shapes.SecretRotationShape,
    access: 'admin',
    handle: async ({ node, request }) =>
      node.rotateSecrets((await readBody(request, shapes.SecretKeyBody)).key),
  },
  {
    method: 'GET',
    path: '/v1/audit',
    summary: `Who changed what, or tried to: the newest first, at most ${ENTRIES_MAX}.`,
    query: { before: 'only entries with an id below', limit: `1 to ${ENTRIES_MAX}; 100 unless said` },
    answer: [shapes.AuditShape],
    access: 'admin',
    handle: ({ access, query }) =>
      access.audit.read(
        numberOf(query, 'before', Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
        numberOf(query, 'limit', 100, ENTRIES_MAX),
      ),
  },
  {
    method: 'GET',
    path: '/v1/audit/verify',
    summary: 'Whether the audit log is as it was written, by its chain of hashes.',
    answer: shapes.VerdictShape,
    access: 'admin',
    handle({ access }) {
      const broken = access.audit.verify()
      return { ok: broken === undefined, ...(broken !== undefined && { brokenAt: broken }) }
    },
  },
]

function numberOf(query: URLSearchParams, name: string, fallback: number, max: number): number {
  const text = query.get(name)
  if (text === null) return fallback
  const value = Number(text)
  if (/^\d+$/.test(text) && value >= 1 && value <= max) return value
  throw new EdgeError('request-invalid', `\`${name}\`: expected a number from 1 to ${max}, not \`${text}\``)
}
