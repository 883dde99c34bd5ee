/**
 * How paths are named, by units and by sites alike, and by what they are compared: what most origins would take the received one for.
 *
 * A unit that guards `/hls/*` must not be passed by with `/%68ls/x`, `//hls/x` or `/a/../hls/x`, which many origins read as
 * `/hls/x`. So for matching alone, as nginx does for its locations, escapes are decoded once, dot segments resolved and
 * slashes merged. Cache and origin get the path as it came.
 */
export type PatternResult = { readonly value: string } | { readonly problem: string }

/** In characters. */
const PATH_MAX = 1024

/** `/live.m3u8`, or `/hls/*` for all that starts with what is before the star. */
export function pathPattern(text: string): PatternResult {
  if (!text.startsWith('/')) return { problem: 'expected a path that starts with "/"' }
  if (text.slice(0, -1).includes('*')) return { problem: 'expected "*" at the end alone' }
  if (text.length > PATH_MAX) return { problem: `expected a path of at most ${PATH_MAX} characters` }
  if (/[?#]/.test(text)) return { problem: 'expected a path without a query or fragment' }
  // Decoded, it would be taken for one that stands for all.
  if (/%2a$/i.test(text)) return { problem: 'expected no encoded "*" at the end' }
  if (/[^\x21-\x7e]/.test(text)) return { problem: 'expected a path as it is sent, percent-encoded' }
  return { value: text }
}

/** A pattern in the form that paths are compared in; the star stays. */
export const matchPattern = (pattern: string): string =>
  pattern.endsWith('*') ? `${matchPath(pattern.slice(0, -1))}*` : matchPath(pattern)

/** A received path, without its query, in the form that patterns are compared with. */
export function matchPath(path: string): string {
  if (!path.includes('%') && !path.includes('/.') && !path.includes('//')) return path
  const segments: string[] = []
  for (const segment of decodeEscapes(path).split('/')) {
    if (segment === '..') segments.pop()
    else if (segment !== '' && segment !== '.') segments.push(segment)
  }
  const isFolder = /(?:\/|\/\.|\/\.\.)$/.test(path)
  return `/${segments.join('/')}${isFolder && segments.length > 0 ? '/' : ''}`
}

/** Bytes, not characters: a pattern in UTF-8 is compared as the bytes that a request line has. */
function decodeEscapes(path: string): string {
  return path.replace(/%([0-9a-f]{2})/gi, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 16)),
  )
}
