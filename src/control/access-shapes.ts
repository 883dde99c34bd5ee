/** What the admin API takes and gives about tokens and the audit log: see `shapes.ts`. */
import * as v from 'valibot'
import { ROLES } from './tokens.ts'

const text = () => v.string('expected a string')
const ROLE_EXPECTED = 'expected "read", "deploy" or "admin"'
const NAME_EXPECTED = 'expected a name: letters, digits, ".", "_", "-", at most 63'
const time = () => v.number('expected a number')

const role = () => v.picklist(ROLES, ROLE_EXPECTED)
const ttl = () =>
  v.pipe(
    v.number('expected a number'),
    v.integer('expected a whole number'),
    v.minValue(1000, 'expected 1000 or more'),
    v.maxValue(3_153_600_000_000, 'expected a hundred years or less'),
  )

export const NewTokenBody = v.strictObject({
  name: v.pipe(v.string(NAME_EXPECTED), v.regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, NAME_EXPECTED)),
  role: role(),
  /** Names of the sites that it is limited to; absent: all. */
  sites: v.optional(
    v.pipe(v.array(text(), 'expected a list of sites'), v.minLength(1, 'expected at least one site')),
  ),
  /** How long it is valid, in milliseconds; absent: until it is revoked. */
  ttlMs: v.optional(ttl()),
})

export const RotateBody = v.strictObject({
  /** How long the secret before counts, in milliseconds. */
  graceMs: v.optional(
    v.pipe(
      v.number('expected a number'),
      v.minValue(0, 'expected 0 or more'),
      v.maxValue(2_592_000_000, 'expected 30 days or less'),
    ),
    0,
  ),
})

export const SecretKeyBody = v.strictObject({
  /** The new key: 32 bytes in hex or base64. Absent: the node makes one, and keeps it in its key file. */
  key: v.optional(text()),
})

export const SecretRotationShape = v.strictObject({
  /** The start of the new key's SHA-256 in hex: tells keys apart. */
  key: text(),
  /** Sealed anew, over all versions that are kept. */
  secrets: time(),
  /** Versions of units that have any. */
  versions: time(),
  /** Keys of certificates that were sealed anew. */
  certificates: time(),
})
export type SecretRotation = v.InferOutput<typeof SecretRotationShape>

export const TokenShape = v.strictObject({
  id: text(),
  name: text(),
  role: role(),
  sites: v.optional(v.array(text())),
  createdAt: time(),
  createdBy: text(),
  rotatedAt: v.optional(time()),
  expiresAt: v.optional(time()),
  revokedAt: v.optional(time()),
  state: v.picklist(['valid', 'expired', 'revoked']),
  /** Since the node started. */
  usedAt: v.optional(time()),
})
export type TokenInfo = v.InferOutput<typeof TokenShape>

export const MadeTokenShape = v.strictObject({ token: text(), info: TokenShape })
export type MadeToken = v.InferOutput<typeof MadeTokenShape>

export const IdentityShape = v.strictObject({
  id: text(),
  name: text(),
  role: role(),
  sites: v.nullable(v.array(text())),
})

export const AuditShape = v.strictObject({
  id: v.number(),
  at: time(),
  /** Id of the token; `root`; `node` for what the node did by itself; `unknown`, `expired` or `revoked` for a token that was refused. */
  who: text(),
  name: text(),
  address: text(),
  action: text(),
  subject: text(),
  /** `ok`, or the code of the error. */
  result: text(),
  position: v.number(),
  hash: text(),
})
export type AuditLine = v.InferOutput<typeof AuditShape>

export const VerdictShape = v.strictObject({ ok: v.boolean(), brokenAt: v.optional(v.number()) })
