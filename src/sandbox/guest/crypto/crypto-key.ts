/** `CryptoKey`: a secret for HMAC, or a public key to verify with. A secret leaves through `exportKey` alone, and only where it is extractable. */
import { checkMaker, FROM_GUEST } from '../illegal-constructor.ts'
import { freeze, toStringTagSymbol, viewLength } from '../primordials.ts'
import type { HashCore } from './hash.ts'

export class SecretMaterial {
  readonly core: HashCore
  readonly bytes: Uint8Array<ArrayBuffer>

  constructor(core: HashCore, bytes: Uint8Array<ArrayBuffer>) {
    this.core = core
    this.bytes = bytes
  }
}

/** A public key as it was given: who verifies reads it. */
export class PublicMaterial {
  /** In upper case. */
  readonly name: string
  /** As the standard spells it. */
  readonly spelling: string
  /** `SHA-256`…, for RSA: the key says it. Else empty. */
  readonly hash: string
  /** `P-256`…, for ECDSA. Else empty. */
  readonly namedCurve: string
  /** JSON of a JWK, or empty. */
  readonly jwk: string
  /** A SubjectPublicKeyInfo in base64, or empty. */
  readonly spki: string

  constructor(name: string, spelling: string, hash: string, namedCurve: string, jwk: string, spki: string) {
    this.name = name
    this.spelling = spelling
    this.hash = hash
    this.namedCurve = namedCurve
    this.jwk = jwk
    this.spki = spki
  }
}

export type KeyMaterial = SecretMaterial | PublicMaterial

/** What a key is made of, or null where the value is none. */
export let materialOf: (key: unknown) => KeyMaterial | null

export class CryptoKey {
  readonly #material: KeyMaterial
  readonly #extractable: boolean
  readonly #usages: readonly string[]

  constructor(maker: unknown, material?: KeyMaterial, extractable?: boolean, usages?: readonly string[]) {
    checkMaker(maker)
    this.#material = material!
    this.#extractable = extractable!
    this.#usages = usages!
  }

  static {
    materialOf = (key) => (typeof key === 'object' && key !== null && #material in key ? key.#material : null)
  }

  get type(): string {
    return this.#material instanceof SecretMaterial ? 'secret' : 'public'
  }

  get extractable(): boolean {
    return this.#extractable
  }

  get algorithm(): object {
    const material = this.#material
    if (material instanceof SecretMaterial) {
      const { core, bytes } = material
      return freeze({ name: 'HMAC', hash: freeze({ name: core.name }), length: viewLength(bytes) * 8 })
    }
    const { spelling: name, hash, namedCurve } = material
    if (namedCurve !== '') return freeze({ name, namedCurve })
    return hash === '' ? freeze({ name }) : freeze({ name, hash: freeze({ name: hash }) })
  }

  get usages(): readonly string[] {
    return this.#usages
  }

  get [toStringTagSymbol](): string {
    return 'CryptoKey'
  }
}

export const makeKey = (material: KeyMaterial, extractable: boolean, usages: readonly string[]): CryptoKey =>
  new CryptoKey(FROM_GUEST, material, extractable, freeze(usages))
