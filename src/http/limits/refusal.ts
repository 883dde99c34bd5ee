/** The answer to a request that a limit refuses: RFC 6585 §4, with a body as RFC 9457 has it, of the type that the draft of `RateLimit` registers. */
import { statusText } from '../../wire/http1/serialise.ts'
import type { Decision } from '../../limit/limiter.ts'
import type { Exchange } from '../exchange.ts'
import { httpDate } from '../http-date.ts'
import { secondsUp, tellFields } from './limit-fields.ts'
import type { RequestLimit } from './request-limit.ts'

const TYPE = 'https://iana.org/assignments/http-problem-types#quota-exceeded'
const TITLE = 'Request cannot be satisfied as assigned quota has been exceeded'

export function refuse(exchange: Exchange, limit: RequestLimit, decision: Decision): void {
  const { fields } = limit
  const { status, head, body, seconds } = refusalOf(limit, decision)
  if (fields !== undefined) tellFields(exchange, fields, decision, (seconds ?? 0) * 1000)
  const dated = `${head}date: ${httpDate(exchange.node.now())}\r\n`
  exchange.answerWhole({ status, reason: statusText(status), fields: dated, source: 'edge' }, body)
}

/** What does not depend on the node; `seconds` is what `Retry-After` says, where there is one. */
export function refusalOf(
  { status, name, allows }: Pick<RequestLimit, 'status' | 'name' | 'allows'>,
  { retryAfterMs }: Decision,
): {
  readonly status: number
  readonly head: string
  readonly body: string
  readonly seconds: number | undefined
} {
  // RFC 9110 §10.2.3. A whole second at least: 0 would say "at once", and be refused again.
  const seconds = Number.isFinite(retryAfterMs) ? Math.max(1, secondsUp(retryAfterMs)) : undefined
  const retry = seconds === undefined ? '' : `retry-after: ${seconds}\r\n`
  const head = `content-type: application/problem+json\r\ncache-control: no-store\r\n${retry}`
  const detail = `the limit ${name} allows ${allows}`
  const problem = { type: TYPE, title: TITLE, status, detail, 'violated-policies': [name] }
  return { status, head, body: `${JSON.stringify(problem)}\n`, seconds }
}
