/** Small things about header text that several files here need. */

/**
 * A copy that shares no memory with the original. A piece of a string keeps the whole alive in V8: a header value of
 * twenty bytes that is kept for an hour would keep the whole head that it was cut from. Latin-1, as all header text is.
 */
export function copyText(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1')
}

/** RFC 9110 §5.6.2: the characters of a name. */
export function isTokenChar(code: number): boolean {
  if (code > 0x60 && code < 0x7b) return true // a-z
  if (code > 0x40 && code < 0x5b) return true // A-Z
  if (code > 0x2f && code < 0x3a) return true // 0-9
  switch (code) {
    case 0x21: // !
    case 0x23: // #
    case 0x24: // $
    case 0x25: // %
    case 0x26: // &
    case 0x27: // '
    case 0x2a: // *
    case 0x2b: // +
    case 0x2d: // -
    case 0x2e: // .
    case 0x5e: // ^
    case 0x5f: // _
    case 0x60: // `
    case 0x7c: // |
    case 0x7e: // ~
      return true
    default:
      return false
  }
}

export function isToken(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (!isTokenChar(text.charCodeAt(i))) return false
  return text.length > 0
}

/** Seconds that fit in a cache's head: RFC 9111 §1.2.2 asks that what is larger be taken as this. */
export const SECONDS_MAX = 2 ** 31

/** Whole seconds since then, as `Age` wants them: 2³¹ at most (RFC 9111 §1.2.2). */
export function ageOf(bornMs: number, nowMs: number): number {
  return Math.min(Math.max(0, Math.floor((nowMs - bornMs) / 1000)), SECONDS_MAX)
}

/** A `delta-seconds` (RFC 9111 §1.2.2): digits alone, clamped to 2³¹. Undefined where it is something else. */
export function parseDeltaSeconds(text: string): number | undefined {
  if (text.length === 0) return undefined
  let seconds = 0
  for (let i = 0; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 0x30
    if (digit < 0 || digit > 9) return undefined
    seconds = Math.min(seconds * 10 + digit, SECONDS_MAX)
  }
  return seconds
}
