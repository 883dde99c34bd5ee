/**
 * How certificates lie in the store: `certificate/NAME`, the chain as it is and the key sealed.
 *
 * `NAME` is what an operator called it, or, of one from an ACME authority, the name that it was asked for.
 */
import { X509Certificate } from 'node:crypto'
import type { SealedKind, SecretBox } from '../contract/secrets.ts'
import type { Effect, StoreView } from '../contract/store.ts'
import { type Certificate, checkCertificate } from './certificate.ts'

export const CERTIFICATE_PREFIX = 'certificate/'

/** Who put it there: the node, which renews it, or an operator. */
export type CertificateSource = 'acme' | 'live'

export interface CertificateRecord {
  /** PEM: the certificate, then its intermediates. */
  readonly cert: string
  /** PEM, for `keyContext`. */
  readonly key: { readonly sealed: string }
  /** Of subjectAltName, lower case. */
  readonly names: readonly string[]
  /** Milliseconds since 1970. */
  readonly notBefore: number
  readonly notAfter: number
  readonly source: CertificateSource
  /** The directory of the ACME authority. */
  readonly authority?: string | undefined
  /** Milliseconds since 1970 when it came. */
  readonly at: number
}

export const certificateKey = (name: string): string => CERTIFICATE_PREFIX + name
const keyContext = (name: string): string => `key of certificate ${name}`

export interface NewCertificate {
  readonly name: string
  readonly certificate: Certificate
  readonly source: CertificateSource
  readonly authority?: string | undefined
  readonly at: number
}

export function certificateEffect(
  { name, certificate, ...rest }: NewCertificate,
  secrets: SecretBox,
): Effect {
  const { material, notBeforeMs, notAfterMs } = certificate
  const record: CertificateRecord = {
    cert: material.cert,
    key: { sealed: secrets.seal(material.key, keyContext(name)) },
    names: material.names,
    notBefore: notBeforeMs,
    notAfter: notAfterMs,
    ...rest,
  }
  return { operation: 'SET', key: certificateKey(name), value: JSON.stringify(record) }
}

export function readCertificateRecord(store: StoreView, name: string): CertificateRecord | undefined {
  const text = store.get(certificateKey(name))
  return text === undefined ? undefined : (JSON.parse(text) as CertificateRecord)
}

/** Throws `secret-unreadable` or `certificate-invalid`, in words for whoever knows it by its name. */
export function openCertificate(name: string, record: CertificateRecord, secrets: SecretBox): Certificate {
  const key = secrets.open(record.key.sealed, keyContext(name))
  return checkCertificate(record.cert, key, { cert: `certificate ${name}`, key: keyContext(name) })
}

/** Of the certificate itself: who signed it, and the SHA-256 of it in hex. */
export function describeLeaf(cert: string): { readonly issuer: string; readonly fingerprint: string } {
  const { issuer, fingerprint256 } = new X509Certificate(cert)
  return {
    issuer: issuer.replaceAll('\n', ','),
    fingerprint: fingerprint256.replaceAll(':', '').toLowerCase(),
  }
}

export const SEALED_CERTIFICATES: SealedKind = {
  prefix: CERTIFICATE_PREFIX,
  what: 'certificate',
  reseal(at, value, change) {
    const record = JSON.parse(value) as CertificateRecord
    const sealed = change(record.key.sealed, keyContext(at.slice(CERTIFICATE_PREFIX.length)))
    return JSON.stringify({ ...record, key: { sealed } })
  },
}
