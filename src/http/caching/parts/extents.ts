/**
 * What an incomplete response has of its object (RFC 9111 §3.3): extents, which its body holds one after the other, and its headers name
 * one by one, as `Content-Range`. So it is an entry as any other, whichever tier keeps it.
 */
import type { HeaderList } from '../../../wire/http1/message.ts'
import { contentRange, parseContentRange, type Range } from '../../ranges/byte-ranges.ts'
import type { StoredResponse } from '../stored-response.ts'

export interface Extent extends Range {
  /** Where it begins in the body. */
  readonly bodyAt: number
}

export interface Extents {
  /** By place; they do not touch. */
  readonly extents: readonly Extent[]
  /** Bytes of the whole object. */
  readonly size: number
}

/** Undefined: it is no part, or not in its own words. */
export function extentsOf({ headers, body }: Pick<StoredResponse, 'headers' | 'body'>): Extents | undefined {
  const extents: Extent[] = []
  let size: number | undefined
  let bodyAt = 0
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i] !== 'content-range') continue
    const range = parseContentRange(headers[i + 1])
    if (range === undefined || (size !== undefined && range.size !== size)) return undefined
    size = range.size
    const { start, end } = range
    if (start < (extents.at(-1)?.end ?? 0)) return undefined
    extents.push({ start, end, bodyAt })
    bodyAt += end - start
  }
  return size === undefined || bodyAt !== body.length ? undefined : { extents, size }
}

/** The headers of an object without what speaks of parts. */
export function withoutExtents(headers: HeaderList): string[] {
  const rest: string[] = []
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!
    if (name !== 'content-range' && name !== 'content-length') rest.push(name, headers[i + 1]!)
  }
  return rest
}

export const withExtents = (headers: HeaderList, ranges: readonly Range[], size: number): HeaderList => [
  ...withoutExtents(headers),
  ...ranges.flatMap((range) => ['content-range', contentRange(range, size)]),
]
