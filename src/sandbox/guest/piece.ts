/**
 * One piece of a body, as a filter is given it, and what the filter makes of it (see `protocol.ts`).
 *
 * Bytes cross as base64, which V8 reads and writes by itself several times faster than a loop over characters could. Text
 * crosses as it is. Of a text that is mostly kept only the difference goes back.
 */
import { BODY_BASE64, BODY_PATCH, BODY_TEXT, PIECE_MARK } from '../protocol.ts'
import { bytesOfSource } from './buffer-source.ts'
import { bytesFromBase64, bytesToBase64, charCodeAt, min, slice } from './primordials.ts'
import { decodeUtf8 } from './utf8.ts'

const ASCII = 97
const BASE64 = 98
/** A text below this goes back whole. */
const PATCH_MIN = 1024

export interface Written {
  readonly body: string
  readonly kind: number
}

export class Piece {
  readonly isLast: boolean
  readonly #kind: number
  readonly #content: string
  #text = ''

  /** `content`: what follows the mark, where it is not in `body`. */
  constructor(body: string, content: string | undefined) {
    this.#kind = charCodeAt(body, 0)
    this.isLast = charCodeAt(body, 1) === 49
    this.#content = content ?? slice(body, PIECE_MARK)
  }

  /** Bytes, or text where the unit asked for that. */
  get chunk(): Uint8Array | string {
    if (this.#kind === BASE64) return bytesFromBase64(this.#content)
    this.#text = this.#kind === ASCII ? this.#content : decodeUtf8(this.#content)
    return this.#text
  }

  /** What goes back for what the filter returned; null where that is neither text nor bytes. */
  answer(result: unknown): Written | null {
    if (typeof result === 'string') return this.#kind === ASCII ? patch(this.#text, result) : whole(result)
    const bytes = typeof result === 'object' && result !== null ? bytesOfSource(result) : null
    return bytes === null ? null : { body: bytesToBase64(bytes), kind: BODY_BASE64 }
  }
}

const whole = (text: string): Written => ({ body: text, kind: BODY_TEXT })

/** What lies between the beginning and the end that both have. */
function patch(before: string, after: string): Written {
  if (before.length < PATCH_MIN) return whole(after)
  const shorter = min(before.length, after.length)
  const prefix = commonPrefix(before, after, shorter)
  const suffix = commonSuffix(before, after, shorter - prefix)
  if ((prefix + suffix) * 2 < after.length) return whole(after)
  return { body: `${prefix} ${suffix}\n${slice(after, prefix, after.length - suffix)}`, kind: BODY_PATCH }
}

/** By halves. Slices are compared as memory, eight bytes at a time; `startsWith` is a loop over characters once it is optimised. */
function commonPrefix(a: string, b: string, most: number): number {
  return common(most, (from, to) => slice(a, from, to) === slice(b, from, to))
}

function commonSuffix(a: string, b: string, most: number): number {
  return common(
    most,
    (from, to) => slice(a, a.length - to, a.length - from) === slice(b, b.length - to, b.length - from),
  )
}

/** How many characters are the same, counted from where both begin. */
function common(most: number, isSame: (from: number, to: number) => boolean): number {
  if (isSame(0, most)) return most
  let same = 0
  for (let step = most >> 1; step > 0; step >>= 1) {
    while (same + step <= most && isSame(same, same + step)) same += step
  }
  return same
}
