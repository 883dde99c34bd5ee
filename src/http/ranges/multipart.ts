/** Several parts in one answer: `multipart/byteranges` (RFC 9110 §14.6). */
import type { HeaderList } from '../../wire/http1/message.ts'
import { contentRange, unsatisfiedRange, type Range, type Ranges } from './byte-ranges.ts'

/** A piece of a body: text between parts, or bytes of the representation. */
export type Segment = string | Range

/** What is sent of a representation. */
export interface PartedAnswer {
  readonly status: 200 | 206 | 416
  /** Those that this status adds, or puts in the place of the representation's own: `content-type`, `content-range`. */
  readonly headers: HeaderList
  readonly segments: readonly Segment[]
}

let boundaries = 0

/** `type`: the representation's `Content-Type`, if it has one. */
export function partedAnswer(ranges: Ranges, size: number, type: string | undefined): PartedAnswer {
  const typed = type === undefined ? [] : ['content-type', type]
  if (ranges.kind === 'whole') return { status: 200, headers: typed, segments: [{ start: 0, end: size }] }
  if (ranges.kind === 'unsatisfiable')
    return { status: 416, headers: ['content-range', unsatisfiedRange(size)], segments: [] }
  const { parts } = ranges
  const [first] = parts
  if (parts.length === 1)
    return {
      status: 206,
      headers: [...typed, 'content-range', contentRange(first!, size)],
      segments: [first!],
    }
  boundaries += 1
  // Nobody can know it beforehand, and write it into the body.
  const boundary = `orla-${boundaries.toString(36)}-${Math.random().toString(36).slice(2)}`
  const line = type === undefined ? '' : `content-type: ${type}\r\n`
  const segments: Segment[] = parts.flatMap((part) => [
    `\r\n--${boundary}\r\n${line}content-range: ${contentRange(part, size)}\r\n\r\n`,
    part,
  ])
  segments.push(`\r\n--${boundary}--\r\n`)
  return { status: 206, headers: ['content-type', `multipart/byteranges; boundary=${boundary}`], segments }
}

export const lengthOf = (segments: readonly Segment[]): number =>
  segments.reduce(
    (sum, segment) => sum + (typeof segment === 'string' ? segment.length : segment.end - segment.start),
    0,
  )
