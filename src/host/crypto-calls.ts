/**
 * `crypto.subtle.verify` for public keys: RSA, ECDSA and Ed25519, by Node's own OpenSSL.
 *
 * In the guest's JavaScript an ECDSA signature takes milliseconds, and a unit has ten. Here it takes a tenth of one, on a thread of
 * the pool: the worker's own goes on.
 */
import { constants, createPublicKey, type KeyObject, verify } from 'node:crypto'
import { refusal, type HostAnswer, type HostCall } from '../contract/host-calls.ts'

/** What the guest sends, as JSON. The body is the signature and then what was signed, a character a byte. */
export interface VerifyHead {
  readonly name: 'RSASSA-PKCS1-V1_5' | 'RSA-PSS' | 'ECDSA' | 'ED25519'
  /** `SHA-256`…; absent for Ed25519. */
  readonly hash?: string
  readonly saltBytes?: number
  readonly signatureBytes: number
  /** JSON of a JWK, or DER of a SubjectPublicKeyInfo in base64. */
  readonly jwk?: string
  readonly spki?: string
  /** `P-256`…, for ECDSA. */
  readonly namedCurve?: string
}

const HASHES: Readonly<Record<string, string>> = {
  'SHA-1': 'sha1',
  'SHA-256': 'sha256',
  'SHA-384': 'sha384',
  'SHA-512': 'sha512',
}
const CURVES: Readonly<Record<string, string>> = {
  'P-256': 'prime256v1',
  'P-384': 'secp384r1',
  'P-521': 'secp521r1',
}
/** Keys that were read are kept: a unit mostly asks about the same few. */
const KEYS_MAX = 256
/** To check with a larger one costs the worker milliseconds. */
const MODULUS_BITS_MAX = 8192
const KEY_CHARACTERS_MAX = 16 * 1024

/** A call that says what it may not: the key or the algorithm. */
class Wrong extends Error {}

export class CryptoCalls {
  readonly #keys = new Map<string, KeyObject>()

  start(call: HostCall, answer: (answer: HostAnswer) => void): undefined {
    try {
      this.#verify(call, answer)
    } catch (error) {
      if (!(error instanceof Wrong)) throw error
      answer(refusal('crypto-invalid', `crypto.subtle: ${error.message}`, 'TypeError'))
    }
  }

  #verify({ head, body }: HostCall, answer: (answer: HostAnswer) => void): void {
    const given = parse(head)
    const key = this.#keyOf(given)
    checkKey(key, given)
    const bytes = Buffer.from(body, 'latin1')
    const signature = bytes.subarray(0, given.signatureBytes)
    const data = bytes.subarray(given.signatureBytes)
    const options = {
      key,
      ...(given.name === 'ECDSA' && { dsaEncoding: 'ieee-p1363' as const }),
      ...padding(given),
    }
    const hash = given.hash === undefined ? null : HASHES[given.hash]!
    verify(hash, data, options, signature, (error, isGood) => {
      // OpenSSL calls a signature of another shape an error; for who asks it is a wrong one.
      const isRight = error === null && isGood
      answer({
        ok: true,
        head: isRight ? '1' : '0',
        body: '',
        result: isRight ? 'good' : 'bad',
        target: given.name,
      })
    })
  }

  #keyOf({ jwk, spki }: VerifyHead): KeyObject {
    const text = jwk ?? spki
    if (typeof text !== 'string' || text.length > KEY_CHARACTERS_MAX)
      throw new Wrong('a public key is missing, or too long')
    const known = this.#keys.get(text)
    if (known) return known
    const key = readKey(text, jwk !== undefined)
    if (this.#keys.size >= KEYS_MAX) this.#keys.delete(this.#keys.keys().next().value!)
    this.#keys.set(text, key)
    return key
  }
}

function readKey(text: string, isJwk: boolean): KeyObject {
  try {
    return isJwk
      ? createPublicKey({ key: JSON.parse(text) as never, format: 'jwk' })
      : createPublicKey({ key: Buffer.from(text, 'base64'), format: 'der', type: 'spki' })
  } catch {
    throw new Wrong(isJwk ? 'the JWK is no public key' : 'the bytes are no public key (SubjectPublicKeyInfo)')
  }
}

function checkKey(key: KeyObject, { name, namedCurve }: VerifyHead): void {
  const type = key.asymmetricKeyType
  const { modulusLength = 0, namedCurve: curve } = key.asymmetricKeyDetails ?? {}
  const isRsa = name.startsWith('RSA')
  if (isRsa && type !== 'rsa') throw new Wrong(`a key of type ${type} is not for ${name}`)
  if (isRsa && modulusLength > MODULUS_BITS_MAX)
    throw new Wrong(`the key has ${modulusLength} bits, at most ${MODULUS_BITS_MAX}`)
  if (name === 'ECDSA' && (type !== 'ec' || curve !== CURVES[namedCurve ?? '']))
    throw new Wrong(`the key is not one of the curve ${namedCurve}`)
  if (name === 'ED25519' && type !== 'ed25519') throw new Wrong('the key is not one of Ed25519')
}

function padding({ name, saltBytes = 0 }: VerifyHead): { padding?: number; saltLength?: number } {
  if (name === 'RSASSA-PKCS1-V1_5') return { padding: constants.RSA_PKCS1_PADDING }
  if (name === 'RSA-PSS') return { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: saltBytes }
  return {}
}

const NAMES: readonly string[] = ['RSASSA-PKCS1-V1_5', 'RSA-PSS', 'ECDSA', 'ED25519']

function parse(head: string): VerifyHead {
  let given: Partial<Record<keyof VerifyHead, unknown>> | null
  try {
    given = JSON.parse(head) as typeof given
  } catch {
    throw new Wrong('not in form')
  }
  const { name, hash, signatureBytes, saltBytes } = given ?? {}
  if (typeof name !== 'string' || !NAMES.includes(name)) throw new Wrong('the algorithm is not known')
  if (name === 'ED25519' ? hash !== undefined : typeof hash !== 'string' || !Object.hasOwn(HASHES, hash))
    throw new Wrong('the hash is not known')
  if (!Number.isSafeInteger(signatureBytes)) throw new Wrong('not in form')
  if (saltBytes !== undefined && !Number.isSafeInteger(saltBytes))
    throw new Wrong('saltLength is a number of bytes')
  return given as VerifyHead
}
