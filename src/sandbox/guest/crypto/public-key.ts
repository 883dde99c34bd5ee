/**
 * Public keys: RSA (PKCS #1 v1.5 and PSS), ECDSA on the curves of NIST, Ed25519. They are read here as far as their form goes; to verify
 * with them is a call of the host, since in JavaScript it takes a unit's whole time.
 */
import { btoa } from '../base64.ts'
import { bytesOfSource } from '../buffer-source.ts'
import { callError, sendCall } from '../calls.ts'
import { DOMException } from '../dom-exception.ts'
import { describe } from '../fields.ts'
import { runningId } from '../logging.ts'
import { BODY_BYTES } from '../../protocol.ts'
import { stringifyJson } from '../primordials.ts'
import { latin1OfBytes } from '../utf8.ts'
import { PublicMaterial } from './crypto-key.ts'

const RSA = 'RSASSA-PKCS1-V1_5'
const PSS = 'RSA-PSS'
const ECDSA = 'ECDSA'
const ED25519 = 'ED25519'

/** How the standard spells the name, or null where it is none of a public key. */
export function spellingOf(name: string): string | null {
  switch (name) {
    case RSA:
      return 'RSASSA-PKCS1-v1_5'
    case PSS:
      return 'RSA-PSS'
    case ECDSA:
      return 'ECDSA'
    case ED25519:
      return 'Ed25519'
    default:
      return null
  }
}

/** The parts of a JWK that are public. Whatever else is there, as a private part, stays behind. */
const JWK_PARTS = ['kty', 'crv', 'n', 'e', 'x', 'y'] as const

/** `hash` is for RSA, where the key says it; empty otherwise. */
export function publicKey(
  format: unknown,
  data: unknown,
  name: string,
  spelling: string,
  hash: string,
  namedCurve: unknown,
): PublicMaterial {
  const curve = name === ECDSA ? curveOf(namedCurve) : ''
  if (format === 'spki') {
    const bytes = bytesOfSource(data)
    if (bytes === null) throw new TypeError(`expected an ArrayBuffer or a view of one, not ${describe(data)}`)
    return new PublicMaterial(name, spelling, hash, curve, '', btoa(latin1OfBytes(bytes)))
  }
  if (format !== 'jwk')
    throw new DOMException(
      `a public key comes as jwk or spki, not as ${describe(format)}`,
      'NotSupportedError',
    )
  return new PublicMaterial(name, spelling, hash, curve, jwkText(data, name, curve), '')
}

function curveOf(namedCurve: unknown): string {
  if (namedCurve === 'P-256' || namedCurve === 'P-384' || namedCurve === 'P-521') return namedCurve
  throw new DOMException(
    `namedCurve is P-256, P-384 or P-521, not ${describe(namedCurve)}`,
    'NotSupportedError',
  )
}

function jwkText(data: unknown, name: string, curve: string): string {
  if (typeof data !== 'object' || data === null)
    throw new TypeError(`a JWK is an object, not ${describe(data)}`)
  const jwk = data as Readonly<Record<string, unknown>>
  let text = ''
  for (let i = 0; i < JWK_PARTS.length; i++) {
    const part = JWK_PARTS[i]!
    const value = jwk[part]
    if (typeof value === 'string') text += `${text === '' ? '' : ','}"${part}":${stringifyJson(value)}`
  }
  const kty = name === ECDSA ? 'EC' : name === ED25519 ? 'OKP' : 'RSA'
  if (jwk.kty !== kty) throw new DOMException(`a JWK for ${name} has kty "${kty}"`, 'DataError')
  if (curve !== '' && jwk.crv !== curve)
    throw new DOMException(`the JWK is of the curve ${describe(jwk.crv)}, not ${curve}`, 'DataError')
  return `{${text}}`
}

/** Asks the host. `hash` and `saltLength` are those of the call, for ECDSA and PSS. */
export async function verifyPublic(
  material: PublicMaterial,
  hash: string,
  saltLength: unknown,
  signature: Uint8Array<ArrayBuffer>,
  data: Uint8Array<ArrayBuffer>,
): Promise<boolean> {
  const { name, jwk, spki, namedCurve } = material
  const latin1 = latin1OfBytes(signature)
  const head = stringifyJson({
    name,
    hash: hash === '' ? undefined : hash,
    saltBytes: saltLength,
    signatureBytes: latin1.length,
    jwk: jwk === '' ? undefined : jwk,
    spki: spki === '' ? undefined : spki,
    namedCurve: namedCurve === '' ? undefined : namedCurve,
  })
  const answer = await sendCall(runningId(), 'crypto.verify', head, latin1 + latin1OfBytes(data), BODY_BYTES)
    .answer
  if (!answer.isOk) throw callError(answer.head)
  return answer.head === '1'
}
