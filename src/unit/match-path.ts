/**
 * The path by which units are matched: what most origins would take the received one for.
 *
 * A unit that guards `/hls/*` must not be passed by with `/%68ls/x`, `//hls/x` or `/a/../hls/x`, which many origins read as
 * `/hls/x`. So for matching alone, as nginx does for its locations, escapes are decoded once, dot segments resolved and
 * slashes merged. Cache and origin get the path as it came.
 */
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
