/** What is signed on the way to a certificate: the request for it (RFC 2986), and the one that answers a TLS-ALPN-01 challenge (RFC 8737). */
import { createPublicKey, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import { bits, integer, octets, oid, sequence, set, tagged, TRUE, utcTime, utf8 } from './der.ts'

const ECDSA_SHA256 = sequence(oid('1.2.840.10045.4.3.2'))
const DAY_MS = 86_400_000

export function makeKey(): KeyObject {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
}

export const keyPem = (key: KeyObject): string => key.export({ type: 'pkcs8', format: 'pem' }) as string

/** A request for a certificate of one name, in DER. */
export function certificateRequest(name: string, key: KeyObject): Buffer {
  const extensions = set(sequence(subjectAltName(name)))
  const info = sequence(
    integer(0),
    subject(name),
    publicKey(key),
    tagged(0, true, sequence(oid('1.2.840.113549.1.9.14'), extensions)),
  )
  return signed(info, key)
}

/** The certificate that shows to those who speak `acme-tls/1` that we know the key authorisation. */
export function challengeCertificate(
  name: string,
  digest: Uint8Array,
  nowMs: number,
): { readonly cert: string; readonly key: string } {
  const key = makeKey()
  const serial = randomBytes(16)
  serial[0] = (serial[0]! & 127) | 1
  const acmeIdentifier = sequence(oid('1.3.6.1.5.5.7.1.31'), TRUE, octets(octets(digest)))
  const certificate = sequence(
    tagged(0, true, integer(2)),
    integer(serial),
    ECDSA_SHA256,
    subject(name),
    sequence(utcTime(nowMs - DAY_MS), utcTime(nowMs + DAY_MS)),
    subject(name),
    publicKey(key),
    tagged(3, true, sequence(subjectAltName(name), acmeIdentifier)),
  )
  const base64 = signed(certificate, key).toString('base64').replaceAll(/.{64}/g, '$&\n')
  return {
    cert: `-----BEGIN CERTIFICATE-----\n${base64.trim()}\n-----END CERTIFICATE-----\n`,
    key: keyPem(key),
  }
}

const subject = (name: string): Buffer => sequence(set(sequence(oid('2.5.4.3'), utf8(name.slice(0, 64)))))

const publicKey = (key: KeyObject): Buffer => createPublicKey(key).export({ type: 'spki', format: 'der' })

const subjectAltName = (name: string): Buffer =>
  sequence(oid('2.5.29.17'), octets(sequence(tagged(2, false, Buffer.from(name, 'latin1')))))

const signed = (content: Buffer, key: KeyObject): Buffer =>
  sequence(content, ECDSA_SHA256, bits(sign('sha256', content, key)))
