/** `crypto` (Web Cryptography): random bytes, UUIDs, and `subtle`. */
import { bytesOfSource } from '../buffer-source.ts'
import { DOMException } from '../dom-exception.ts'
import {
  Bytes,
  indexOf,
  numberToString,
  padStart,
  slice,
  toStringTagSymbol,
  typedArrayName,
  viewLength,
} from '../primordials.ts'
import { randomBytes } from './random.ts'
import { SubtleCrypto } from './subtle.ts'

/** The most that `getRandomValues` fills in one call, in bytes. */
const QUOTA_BYTES = 65_536

const subtle = new SubtleCrypto()

export class Crypto {
  get subtle(): SubtleCrypto {
    return subtle
  }

  getRandomValues<T extends ArrayBufferView>(into: T): T {
    const name = typedArrayName(into)
    if (name === undefined || indexOf(name, 'Float') === 0) {
      throw new DOMException('getRandomValues fills arrays of whole numbers', 'TypeMismatchError')
    }
    const bytes = bytesOfSource(into)!
    const length = viewLength(bytes)
    if (length > QUOTA_BYTES) {
      throw new DOMException(`getRandomValues fills ${QUOTA_BYTES} bytes at most`, 'QuotaExceededError')
    }
    randomBytes(bytes, length)
    return into
  }

  /** Version 4 (RFC 9562 §5.4). */
  randomUUID(): string {
    const bytes = new Bytes(16)
    randomBytes(bytes, 16)
    bytes[6] = (bytes[6]! & 0x0f) | 0x40
    bytes[8] = (bytes[8]! & 0x3f) | 0x80
    let hex = ''
    for (let i = 0; i < 16; i++) hex += padStart(numberToString(bytes[i]!, 16), 2, '0')
    return `${slice(hex, 0, 8)}-${slice(hex, 8, 12)}-${slice(hex, 12, 16)}-${slice(hex, 16, 20)}-${slice(hex, 20)}`
  }

  get [toStringTagSymbol](): string {
    return 'Crypto'
  }
}
