/** The request of somebody who is banned and whom a trusted proxy names: the connection is the proxy's, so it is answered instead of reset. */
import type { RequestHead } from '../wire/http1/message.ts'
import type { Banning } from './banning.ts'
import type { ClientConnection } from './client-connection.ts'
import type { Client } from './client.ts'
import type { AttachPoint } from './connection-host.ts'
import { Exchange } from './exchange.ts'
import { httpDate } from './http-date.ts'
import type { HttpNode } from './http-node.ts'
import { NO_UNITS } from './unit-plan.ts'

/** RFC 9457. What the ban is for is the operator's business. */
const BODY = `${JSON.stringify({
  type: 'about:blank',
  title: 'Forbidden',
  status: 403,
  detail: 'requests from this address are refused for a time',
})}\n`

/** The same node, which notes no request. */
const withoutLog = (node: HttpNode): HttpNode =>
  Object.create(node, { accessLog: { value: undefined } }) as HttpNode

/** Answers 403 where the client is kept out: true. Neither units nor cache see it, and few of many such requests are in the access log. */
export function turnAway(
  banning: Banning,
  node: HttpNode,
  connection: ClientConnection & AttachPoint,
  head: RequestHead,
  client: Client,
): boolean {
  if (!banning.keepsOut(client.address)) return false
  banning.count('request')
  const isNews = banning.isNews(client.address, node.monotonic())
  const exchange = new Exchange(isNews ? node : withoutLog(node), connection, head, client, NO_UNITS)
  connection.attach(exchange)
  const fields = `content-type: application/problem+json\r\ncache-control: no-store\r\ndate: ${httpDate(node.now())}\r\n`
  exchange.answerWhole({ status: 403, reason: 'Forbidden', fields, source: 'edge' }, BODY)
  return true
}
