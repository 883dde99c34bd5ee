/** The answer to what could not be read as a request: status and reason, where the client's windows have room for it. */
import type { WireProblem } from '../../wire/http1/message.ts'
import { encodeResponseHead } from '../../wire/http2/hpack-encoder.ts'
import { edgeErrorText } from '../edge-answers.ts'

export function refusalOf(
  { status, reason }: WireProblem,
  isHeadRequest: boolean,
  room: number,
): { readonly block: string; readonly body: string } {
  const text = edgeErrorText(status, reason)
  const length = text.length <= room ? text.length : 0
  const head =
    `HTTP/1.1 ${status} \r\ncontent-type: text/plain; charset=utf-8\r\n` +
    `content-length: ${length}\r\ncache-control: no-store\r\n`
  return { block: encodeResponseHead(head), body: isHeadRequest || length === 0 ? '' : text }
}
