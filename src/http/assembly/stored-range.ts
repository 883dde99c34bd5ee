/** One range of a response that is stored whole (RFC 9110 §14.2): the kernel sends it where the whole is in a file. */
import { headerValue, headerValues, type HeaderList, type RequestHead } from '../../wire/http1/message.ts'
import { serialiseHeaders } from '../../wire/http1/serialise.ts'
import { hasNoBody, withLength } from '../body-fit.ts'
import type { StoredResponse } from '../caching/stored-response.ts'
import type { Exchange } from '../exchange.ts'
import { parseRanges, type Range, type Ranges } from '../ranges/byte-ranges.ts'
import { partedAnswer } from '../ranges/multipart.ts'
import { isRangeCurrent } from '../ranges/range-conditions.ts'
import { answerFields, statusFields, storedRepresentation } from './representation.ts'

/** Up to this much is read and sent in one write. */
const AT_ONCE_BYTES = 64 * 1024

/** What is asked for of it; `whole` also where the client has another one, or the response is not one that has parts. */
export function rangesOf(head: RequestHead, entry: StoredResponse): Ranges {
  const isAsked = head.method === 'GET' && entry.status === 200 && isRangeCurrent(head.headers, entry)
  return parseRanges(isAsked ? headerValues(head.headers, 'range') : undefined, entry.body.length)
}

/** Answers with one part of it, or 416. `member`: what `Cache-Status` says. */
export function answerRange(
  exchange: Exchange,
  entry: StoredResponse,
  ranges: Exclude<Ranges, { readonly kind: 'whole' }>,
  member: string,
): void {
  const size = entry.body.length
  const nowMs = exchange.node.now()
  const { headers, segments } = partedAnswer(ranges, size, headerValue(entry.headers, 'content-type'))
  if (ranges.kind === 'unsatisfiable')
    exchange.answerError(
      416,
      `there are ${size} bytes`,
      serialiseHeaders(headers) + statusFields(exchange, entry, nowMs, member),
    )
  else sendPart(exchange, entry, segments[0] as Range, headers, member)
}

function sendPart(
  exchange: Exchange,
  entry: StoredResponse,
  part: Range,
  own: HeaderList,
  member: string,
): void {
  const { body } = entry
  const length = part.end - part.start
  const added = ['accept-ranges', 'bytes', ...own, 'content-length', String(length)]
  const representation = storedRepresentation(entry, body.length)
  const fields = answerFields(exchange, representation, added, exchange.node.now(), member)
  // RFC 9110 §14.2: a range is one of the bytes as they are, so nothing compresses it.
  const answer = { status: 206, reason: 'Partial Content', fields, source: 'cache' } as const
  exchange.finishHead(answer, (given, status, reason) => {
    const { connection } = exchange
    if (hasNoBody(status)) {
      connection.sendWhole(`HTTP/1.1 ${status} ${reason}\r\n${withLength(given, status, 0)}`, '')
      exchange.done()
      return
    }
    const head = `HTTP/1.1 ${status} ${reason}\r\n${given}`
    if (length <= AT_ONCE_BYTES) {
      const bytes = body.readIfWhole(part.start, part.end)
      if (bytes === undefined) return connection.cut()
      connection.sendWhole(head, bytes)
      exchange.done()
    } else {
      exchange.hold(body)
      connection.sendStored(head, body, () => exchange.done(), part)
    }
  })
}
