/** What other bytes make of a head: a length that is gone, an `ETag` that is weak, a coding, a `Vary`. */
import type { HeaderList } from '../../wire/http1/message.ts'

/** Headers that speak of the bytes of the body. */
const ABOUT_BYTES: ReadonlySet<string> = new Set([
  'accept-ranges',
  'content-digest',
  'content-length',
  'content-md5',
  'digest',
  'repr-digest',
])

/** The header lines for a body in other bytes; `isDecoded`: its coding is gone. */
export function otherBytes(headers: HeaderList, isDecoded: boolean): HeaderList {
  const after: string[] = []
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!.toLowerCase()
    if (ABOUT_BYTES.has(name) || (isDecoded && name === 'content-encoding')) continue
    const value = headers[i + 1]!
    after.push(headers[i]!, name === 'etag' ? weakened(value) : value)
  }
  return after
}

/** RFC 9110 §8.8.1: the same content in other bytes. */
const weakened = (etag: string): string => (etag.startsWith('W/') ? etag : `W/${etag}`)

export function weakTags(headers: HeaderList): HeaderList {
  return headers.map((text, i) =>
    i % 2 === 1 && headers[i - 1]!.toLowerCase() === 'etag' ? weakened(text) : text,
  )
}

export function encodedHeaders(headers: HeaderList, coding: string): HeaderList {
  const rest = otherBytes(headers, true)
  return [...rest, 'content-encoding', coding]
}

/** With `Vary: Accept-Encoding`, said once. */
export function variedHeaders(headers: HeaderList): HeaderList {
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i]!.toLowerCase() !== 'vary') continue
    if (/(?:^|,)\s*(?:\*|accept-encoding)\s*(?:,|$)/i.test(headers[i + 1]!)) return headers
  }
  return [...headers, 'vary', 'Accept-Encoding']
}
