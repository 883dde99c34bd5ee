/** What the admin API takes and gives about certificates. A key comes in, and never goes out. */
import * as v from 'valibot'
import { ChangeShape, WaitBody } from './shapes.ts'

const NAME_EXPECTED = 'expected 1 to 253 of a-z, 0-9, ".", "_" and "-", the first not "."'
const pem = (what: string) =>
  v.pipe(v.string(`expected ${what} in PEM`), v.maxLength(262_144, 'expected at most 262144 characters'))
const text = () => v.string('expected a string')

export const CertificateName = v.pipe(
  v.string(NAME_EXPECTED),
  v.regex(/^[a-z0-9_-][a-z0-9._-]{0,252}$/, NAME_EXPECTED),
)

export const CertificateBody = v.strictObject({
  /** PEM: the certificate, then its intermediates. */
  cert: pem('a certificate'),
  /** PEM, without a passphrase. */
  key: pem('a private key'),
  /** Also where it has expired. */
  force: v.optional(v.boolean('expected true or false'), false),
  ...WaitBody.entries,
})

export const CertificateShape = v.strictObject({
  name: text(),
  /** `acme`: from the ACME authority, and renewed; `live`: set by an operator. */
  source: v.picklist(['acme', 'live']),
  /** Names that it is for. */
  names: v.array(text()),
  /** Milliseconds since 1970. */
  notBefore: v.number(),
  notAfter: v.number(),
  state: v.picklist(['valid', 'expired', 'early', 'unusable']),
  /** Why it is not used. */
  problem: v.optional(text()),
  issuer: text(),
  /** SHA-256 of the certificate, in hex. */
  fingerprint: text(),
  /** The directory of the ACME authority. */
  authority: v.optional(text()),
  /** Milliseconds since 1970 when it came. */
  at: v.number(),
})
export type CertificateInfo = v.InferOutput<typeof CertificateShape>

export const CertificateChangeShape = v.strictObject({
  /** As it is, or as it was where it was removed. */
  certificate: CertificateShape,
  live: ChangeShape.entries.live,
  edges: ChangeShape.entries.edges,
  ms: v.number(),
})
export type CertificateChange = v.InferOutput<typeof CertificateChangeShape>
