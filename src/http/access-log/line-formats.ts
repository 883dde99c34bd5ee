/** A line of the access log, in either format. Each is put together from text that is safe already: see `escape.ts`. */
import type { AccessLogConfig } from '../../config/schema.ts'
import { headerValue } from '../../wire/http1/message.ts'
import { combinedText } from './escape.ts'
import { bodyBytes, fieldsNamed, protocolOf } from './fields.ts'
import { localTime } from './line-times.ts'
import { type LoggedRequest, type Moment, statusOf } from './logged-request.ts'

export type LineFormat = (request: LoggedRequest, moment: Moment) => string

export function lineFormat({ format, fields }: AccessLogConfig): LineFormat {
  return format === 'combined' ? combinedLine : jsonLines(fields)
}

/** `{"time":"…","client":"…",…}`, a line each. */
function jsonLines(names: readonly string[]): LineFormat {
  const fields = fieldsNamed(names)
  const count = fields.length
  return (request, moment) => {
    let line = '{'
    for (let i = 0; i < count; i += 1) line = fields[i]!(line, request, moment)
    return `${line}}\n`
  }
}

/** `CLIENT - USER [TIME] "METHOD TARGET PROTOCOL" STATUS BYTES "REFERER" "USER-AGENT"`, as nginx and Apache write it. */
const combinedLine: LineFormat = (request, { nowMs }) => {
  const { head, client } = request
  const first =
    head === undefined ? '-' : `${combinedText(`${head.method} ${head.target}`)} ${protocolOf(head)}`
  const referer = combinedText(head && headerValue(head.headers, 'referer'))
  const agent = combinedText(head && headerValue(head.headers, 'user-agent'))
  const user = combinedText(head && basicUser(headerValue(head.headers, 'authorization'))).replaceAll(
    ' ',
    '\\x20',
  )
  const address = combinedText(client.address)
  return `${address} - ${user} [${localTime(nowMs)}] "${first}" ${statusOf(request)} ${bodyBytes(request)} "${referer}" "${agent}"\n`
}

/** The name in `Authorization: Basic …`, as Latin-1. */
function basicUser(authorization: string | undefined): string | undefined {
  const encoded = authorization && /^basic +([\w+/=-]+)$/i.exec(authorization)?.[1]
  if (!encoded) return undefined
  const [user] = Buffer.from(encoded, 'base64').toString('latin1').split(':', 1)
  return user
}
