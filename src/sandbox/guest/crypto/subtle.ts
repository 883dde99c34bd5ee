/**
 * `crypto.subtle`, as far as it is there: digests and HMAC in JavaScript, since no function of the host may reach a unit; and `verify` with
 * public keys, which is a call of the host (`public-key.ts`).
 *
 * About 100 MB/s for SHA-256: fine for tokens and webhooks, and it counts as the unit's CPU time.
 */
import { fromBase64Url, toBase64Url } from '../base64.ts'
import { bytesOfSource } from '../buffer-source.ts'
import { DOMException } from '../dom-exception.ts'
import { describe } from '../fields.ts'
import { Bytes, toStringTagSymbol, toUpperCase, viewBuffer, viewLength } from '../primordials.ts'
import { bytesOfLatin1, latin1OfBytes } from '../utf8.ts'
import {
  type CryptoKey,
  type KeyMaterial,
  makeKey,
  materialOf,
  PublicMaterial,
  SecretMaterial,
} from './crypto-key.ts'
import { digest, type HashCore, hmac, isEqualInConstantTime } from './hash.ts'
import { publicKey, spellingOf, verifyPublic } from './public-key.ts'
import { randomBytes } from './random.ts'
import { SHA1 } from './sha1.ts'
import { SHA256 } from './sha256.ts'
import { SHA384, SHA512 } from './sha512.ts'

const notSupported = (what: string): DOMException =>
  new DOMException(
    `${what} is not supported; there are SHA-1, SHA-256, SHA-384, SHA-512 and HMAC, and verify for RSASSA-PKCS1-v1_5, RSA-PSS, ECDSA and Ed25519`,
    'NotSupportedError',
  )

/** `'HMAC'` or `{ name: 'HMAC' }`, in upper case. */
function nameOf(algorithm: unknown): string {
  const name =
    typeof algorithm === 'object' && algorithm !== null ? (algorithm as { name?: unknown }).name : algorithm
  if (typeof name !== 'string') throw new TypeError('an algorithm is a name, or an object with a name')
  return toUpperCase(name)
}

function coreOf(algorithm: unknown): HashCore {
  switch (nameOf(algorithm)) {
    case 'SHA-1':
      return SHA1
    case 'SHA-256':
      return SHA256
    case 'SHA-384':
      return SHA384
    case 'SHA-512':
      return SHA512
    default:
      throw notSupported(nameOf(algorithm))
  }
}

function requireHmac(algorithm: unknown): void {
  if (nameOf(algorithm) !== 'HMAC') throw notSupported(nameOf(algorithm))
}

/** A copy: what the unit does to its buffer later changes nothing here. */
function copyOf(source: unknown): Uint8Array<ArrayBuffer> {
  const bytes = bytesOfSource(source)
  if (bytes === null) throw new TypeError(`expected an ArrayBuffer or a view of one, not ${describe(source)}`)
  return new Bytes(bytes)
}

function usagesOf(usages: unknown): string[] {
  const list = usages as ArrayLike<unknown>
  const checked: string[] = []
  for (let i = 0; i < list.length; i++) {
    const usage = list[i]
    if (usage !== 'sign' && usage !== 'verify') {
      throw new DOMException(`a key for HMAC is for sign and verify, not ${describe(usage)}`, 'SyntaxError')
    }
    checked[checked.length] = usage
  }
  if (checked.length === 0) throw new DOMException('a key is for sign, verify or both', 'SyntaxError')
  return checked
}

function materialFor(key: unknown, usage: string): KeyMaterial {
  const material = materialOf(key)
  if (material === null) throw new TypeError(`expected a CryptoKey, not ${describe(key)}`)
  const { usages } = key as CryptoKey
  for (let i = 0; i < usages.length; i++) if (usages[i] === usage) return material
  throw new DOMException(`the key is not for ${usage}`, 'InvalidAccessError')
}

function secretFor(key: unknown, usage: string): SecretMaterial {
  const material = materialFor(key, usage)
  if (material instanceof SecretMaterial) return material
  throw new DOMException('the key is not one for HMAC', 'InvalidAccessError')
}

function publicFor(key: unknown, name: string): PublicMaterial {
  const material = materialFor(key, 'verify')
  if (material instanceof PublicMaterial && material.name === name) return material
  throw new DOMException(`the key is not one for ${name}`, 'InvalidAccessError')
}

/** A public key verifies, and does nothing else. */
function checkPublicUsages(usages: unknown): string[] {
  const list = usages as ArrayLike<unknown>
  for (let i = 0; i < list.length; i++) {
    if (list[i] !== 'verify')
      throw new DOMException(`a public key is for verify, not ${describe(list[i])}`, 'SyntaxError')
  }
  return list.length === 0 ? [] : ['verify']
}

function secretOf(format: unknown, data: unknown): Uint8Array<ArrayBuffer> {
  if (format === 'raw') return copyOf(data)
  if (format !== 'jwk') throw notSupported(`the key format ${describe(format)}`)
  const jwk = data as { kty?: unknown; k?: unknown }
  const bytes = jwk.kty === 'oct' && typeof jwk.k === 'string' ? fromBase64Url(jwk.k) : null
  if (bytes === null)
    throw new DOMException('a JWK of a secret has kty "oct" and k in base64url', 'DataError')
  return bytesOfLatin1(bytes)
}

export class SubtleCrypto {
  async digest(algorithm: unknown, data: unknown): Promise<ArrayBuffer> {
    return viewBuffer(digest(coreOf(algorithm), copyOf(data)))
  }

  async importKey(
    format: unknown,
    data: unknown,
    algorithm: unknown,
    extractable: unknown,
    usages: unknown,
  ): Promise<CryptoKey> {
    const { hash, namedCurve } = algorithm as { hash?: unknown; namedCurve?: unknown }
    const name = nameOf(algorithm)
    const spelling = spellingOf(name)
    if (spelling !== null) {
      const hashName = name === 'RSASSA-PKCS1-V1_5' || name === 'RSA-PSS' ? coreOf(hash).name : ''
      const material = publicKey(format, data, name, spelling, hashName, namedCurve)
      return makeKey(material, !!extractable, checkPublicUsages(usages))
    }
    requireHmac(algorithm)
    const core = coreOf(hash)
    const bytes = secretOf(format, data)
    if (viewLength(bytes) === 0) throw new DOMException('the key is empty', 'DataError')
    return makeKey(new SecretMaterial(core, bytes), !!extractable, usagesOf(usages))
  }

  async generateKey(algorithm: unknown, extractable: unknown, usages: unknown): Promise<CryptoKey> {
    requireHmac(algorithm)
    const { hash, length } = algorithm as { hash?: unknown; length?: unknown }
    const core = coreOf(hash)
    if (
      length !== undefined &&
      !(typeof length === 'number' && length > 0 && length % 8 === 0 && length <= 8192)
    ) {
      throw new DOMException('the length of a key is in bits, a multiple of 8', 'OperationError')
    }
    const bytes = new Bytes(length === undefined ? core.blockBytes : length / 8)
    randomBytes(bytes, viewLength(bytes))
    return makeKey(new SecretMaterial(core, bytes), !!extractable, usagesOf(usages))
  }

  async exportKey(format: unknown, key: unknown): Promise<ArrayBuffer | object> {
    const material = materialOf(key)
    if (material === null) throw new TypeError(`expected a CryptoKey, not ${describe(key)}`)
    const { extractable, usages } = key as CryptoKey
    if (!extractable) throw new DOMException('the key is not extractable', 'InvalidAccessError')
    if (!(material instanceof SecretMaterial)) throw notSupported('the export of a public key')
    const { core, bytes } = material
    if (format === 'raw') return viewBuffer(new Bytes(bytes))
    if (format !== 'jwk') throw notSupported(`the key format ${describe(format)}`)
    const alg = core === SHA1 ? 'HS1' : core === SHA256 ? 'HS256' : core === SHA384 ? 'HS384' : 'HS512'
    return { kty: 'oct', k: toBase64Url(latin1OfBytes(bytes)), alg, ext: true, key_ops: usages }
  }

  async sign(algorithm: unknown, key: unknown, data: unknown): Promise<ArrayBuffer> {
    requireHmac(algorithm)
    const { core, bytes } = secretFor(key, 'sign')
    return viewBuffer(hmac(core, bytes, copyOf(data)))
  }

  async verify(algorithm: unknown, key: unknown, signature: unknown, data: unknown): Promise<boolean> {
    const name = nameOf(algorithm)
    if (spellingOf(name) !== null) {
      const material = publicFor(key, name)
      const { hash, saltLength } = algorithm as { hash?: unknown; saltLength?: unknown }
      const hashName = name === 'ECDSA' ? coreOf(hash).name : material.hash
      return verifyPublic(material, hashName, saltLength, copyOf(signature), copyOf(data))
    }
    requireHmac(algorithm)
    const { core, bytes } = secretFor(key, 'verify')
    return isEqualInConstantTime(hmac(core, bytes, copyOf(data)), copyOf(signature))
  }

  get [toStringTagSymbol](): string {
    return 'SubtleCrypto'
  }
}
