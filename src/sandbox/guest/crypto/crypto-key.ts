/** `CryptoKey`: a secret for HMAC. Its bytes leave through `exportKey` alone, and only where it is extractable. */
import { checkMaker, FROM_GUEST } from '../illegal-constructor.ts'
import { freeze, toStringTagSymbol, viewLength } from '../primordials.ts'
import type { HashCore } from './hash.ts'

export interface KeyMaterial {
  readonly core: HashCore
  readonly bytes: Uint8Array<ArrayBuffer>
}

/** The secret of a key, or null where the value is none. */
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
    return 'secret'
  }

  get extractable(): boolean {
    return this.#extractable
  }

  get algorithm(): object {
    const { core, bytes } = this.#material
    return freeze({ name: 'HMAC', hash: freeze({ name: core.name }), length: viewLength(bytes) * 8 })
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
