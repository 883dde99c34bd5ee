/**
 * How parts come to be stored (RFC 9111 §3.3, §3.4): a slice under a key of its own, any other part beside those of its object that are
 * there already. A part that is all of its object is stored as the object; so is what parts make up once none is missing.
 *
 * Only parts of one and the same strong validator are put together. One of another takes the place of all that came before.
 */
import { headerValue, type HeaderList } from '../../../wire/http1/message.ts'
import { parseContentRange, type Range } from '../../ranges/byte-ranges.ts'
import { strongValidator } from '../../ranges/range-conditions.ts'
import type { Shelf } from '../shelf.ts'
import type { IncomingResponse, StoredResponse } from '../stored-response.ts'
import { StoredBody } from '../stored-body.ts'
import { updatedHeaders } from '../updating.ts'
import { copiedBody } from './copied-body.ts'
import { extentsOf, withExtents, withoutExtents } from './extents.ts'
import { JoinedBytes, type BodyPiece } from './joined-bytes.ts'
import { partialKey } from './part-keys.ts'

/** What a fill of a part is for. */
export interface FillPart {
  readonly kind: 'slice' | 'range'
  readonly objectKey: string
}

/** What a fill tells here. */
interface PartFill {
  readonly key: string
  readonly head: { readonly headers: HeaderList }
  readonly part: FillPart | undefined
}

/** Extents of one object. Of more, the smallest go: nobody comes back for them. */
const EXTENTS_MAX = 32
/** From so many pieces on they are copied together: every read looks through them. */
const PIECES_MAX = 32

/** A part may be stored where its object might be: freshness does not tell 206 from 200 (RFC 9111 §3.3). */
export const planPart = (response: IncomingResponse): IncomingResponse =>
  response.status === 206 ? { ...response, status: 200 } : response

/** Keeps what a fill brought. False: it is too large. */
export function keepPart(
  shelf: Shelf,
  { key, head, part }: PartFill,
  response: StoredResponse,
  objectBytesMax: number,
): boolean {
  const { headers } = head
  const objectKey = part?.objectKey ?? key
  // Asked for a part, the origin sent all of it; or said that all of it is still good.
  if (part === undefined || response.status !== 206) return keepWhole(shelf, objectKey, headers, response)
  const range = parseContentRange(headerValue(response.headers, 'content-range'))
  const isSound = range !== undefined && range.end - range.start === response.body.length
  if (!isSound || strongValidator(response) === undefined) return false
  const { size } = range
  if (range.end - range.start === size)
    return keepAssembled(shelf, objectKey, headers, response, response.body)
  const whole = shelf.find(objectKey, headers, 0)
  if (whole !== undefined && !isOfSame(whole, response)) shelf.remove(objectKey, whole)
  if (part.kind === 'slice') return shelf.keep(key, headers, response)
  const place = partialKey(objectKey)
  const before = shelf.find(place, headers, 0)
  const known = before === undefined || !isOfSame(before, response) ? undefined : extentsOf(before)
  if (known === undefined || known.size !== size) return shelf.keep(place, headers, response)

  const pieces = [
    ...known.extents.flatMap((extent) => piecesAround(extent, before!.body, range)),
    { at: range.start, body: response.body, start: 0, end: response.body.length },
  ].toSorted((a, b) => a.at - b.at)
  const { ranges, kept } = bounded(pieces, range)
  const length = kept.reduce((sum, { start, end }) => sum + end - start, 0)
  if (length > objectBytesMax) return false
  const merged = updatedHeaders(before!.headers, response.headers)
  const body = new StoredBody(new JoinedBytes(kept))
  const isComplete = length === size
  const isScattered = kept.length > PIECES_MAX || body.memoryBytes > 2 * length + 65_536
  const own = isComplete || isScattered ? copiedBody(body) : body
  if (own !== body) body.release()
  const isKept = isComplete
    ? keepAssembled(shelf, objectKey, headers, response, own, merged)
    : shelf.keep(place, headers, response.withBody(withExtents(merged, ranges, size), own))
  own.release()
  return isKept
}

/** Whether both are of one representation, for sure. */
function isOfSame(a: StoredResponse, b: StoredResponse): boolean {
  const validator = strongValidator(a)
  return validator !== undefined && validator === strongValidator(b)
}

/** What is whole is newer than all parts that are there, or of the same. */
function keepWhole(shelf: Shelf, key: string, headers: HeaderList, response: StoredResponse): boolean {
  const isKept = shelf.keep(key, headers, response)
  shelf.removeParts(key)
  return isKept
}

/** A part, or several, that are the whole. */
function keepAssembled(
  shelf: Shelf,
  key: string,
  headers: HeaderList,
  part: StoredResponse,
  body: StoredBody,
  merged = part.headers,
): boolean {
  return keepWhole(shelf, key, headers, part.withBody(withoutExtents(merged), body, 200, 'OK'))
}

/** A piece of a body, and where in the object it begins. */
interface Placed extends BodyPiece {
  readonly at: number
}

/** What of an extent lies outside of a range that came anew. */
function piecesAround(
  { start, end, bodyAt }: Range & { readonly bodyAt: number },
  body: StoredBody,
  anew: Range,
): Placed[] {
  const left = { start, end: Math.min(end, anew.start) }
  const right = { start: Math.max(start, anew.end), end }
  return [left, right].flatMap((rest) => {
    if (rest.start >= rest.end) return []
    const from = bodyAt + rest.start - start
    const to = bodyAt + rest.end - start
    let at = rest.start
    return (body.joined?.slice(from, to) ?? [{ body, start: from, end: to }]).map((piece) => {
      const placed = { ...piece, at }
      at += piece.end - piece.start
      return placed
    })
  })
}

/** The extents that pieces by place make up, and those of them that there is a place for. */
function bounded(pieces: readonly Placed[], anew: Range): { ranges: Range[]; kept: Placed[] } {
  const groups: { start: number; end: number; pieces: Placed[] }[] = []
  for (const piece of pieces) {
    const end = piece.at + piece.end - piece.start
    const last = groups.at(-1)
    if (last !== undefined && last.end === piece.at) {
      last.end = end
      last.pieces.push(piece)
    } else groups.push({ start: piece.at, end, pieces: [piece] })
  }
  while (groups.length > EXTENTS_MAX) {
    const others = groups.filter(({ start, end }) => end <= anew.start || start >= anew.end)
    const smallest = others.reduce((a, b) => (a.end - a.start <= b.end - b.start ? a : b))
    groups.splice(groups.indexOf(smallest), 1)
  }
  return {
    ranges: groups.map(({ start, end }) => ({ start, end })),
    kept: groups.flatMap((group) => group.pieces),
  }
}
