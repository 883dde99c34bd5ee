/**
 * Queries of DNS over HTTPS that come in where the edge serves HTTP (RFC 8484): to one path, on all hosts or some, whatever sites there are.
 *
 * Limits and bans have been asked by then; units and caches of sites have no part in it.
 */
import { DOH_MEDIA_TYPE, dohQuery, freshSeconds } from '../wire/dns/doh.ts'
import { MESSAGE_BYTES_MAX } from '../wire/dns/message.ts'
import { headerValue } from '../wire/http1/message.ts'
import type { ClientFacts } from './client.ts'
import type { Exchange } from './exchange.ts'
import { httpDate } from './http-date.ts'
import { NO_UNITS } from './unit-plan.ts'
import { readWhole } from './whole-body.ts'

/** Whoever answers queries that came in here. */
export interface DohService {
  readonly path: string
  /** In lower case; empty: all. */
  readonly hosts: ReadonlySet<string>
  /** The answer in bytes; undefined: nobody answers this client. */
  answer(query: Buffer, client: ClientFacts): Promise<Buffer | undefined>
}

const NOTHING = Buffer.alloc(0)

export function answerDoh(exchange: Exchange): 'next' | 'taken' {
  const { doh } = exchange.node
  if (doh === undefined || exchange.head.path !== doh.path) return 'next'
  if (doh.hosts.size > 0 && !doh.hosts.has(exchange.head.host)) return 'next'
  exchange.plan = NO_UNITS
  if (!exchange.connection.hasBody) void ask(exchange, doh, NOTHING)
  else {
    const longer = `a query has at most ${MESSAGE_BYTES_MAX} bytes`
    readWhole(
      exchange,
      MESSAGE_BYTES_MAX,
      longer,
      (body) => void ask(exchange, doh, Buffer.from(body, 'latin1')),
    )
  }
  return 'taken'
}

async function ask(exchange: Exchange, doh: DohService, body: Buffer): Promise<void> {
  const { head, client, node } = exchange
  const query = dohQuery(head.method, head.query, headerValue(head.headers, 'content-type'), body)
  if (!Buffer.isBuffer(query)) {
    const extra = query.status === 405 ? 'allow: GET, HEAD, POST\r\n' : ''
    exchange.answerError(query.status, query.detail, extra)
    return
  }
  let answer: Buffer | undefined
  try {
    answer = await doh.answer(query, client)
  } catch (error) {
    node.warn(`DNS over HTTPS: ${(error as Error).message}`)
    if (!exchange.gone) exchange.answerError(500, 'the query could not be answered')
    return
  }
  if (exchange.gone) return
  if (answer === undefined) {
    exchange.answerError(403, 'no answer for this client')
    return
  }
  const fields = `content-type: ${DOH_MEDIA_TYPE}\r\ncache-control: max-age=${freshSeconds(answer)}\r\ndate: ${httpDate(node.now())}\r\n`
  exchange.answerWhole({ status: 200, reason: 'OK', fields, source: 'edge' }, answer)
}
