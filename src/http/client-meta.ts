/** What a unit may know of the client and the time a request took: the JSON behind `edge.client` and `edge.timing`. */
import { tcpRoundTripUs } from '../base/tcp-info.ts'
import { cacheOutcome } from './cache-outcome.ts'
import type { Exchange } from './exchange.ts'
import { requestIdOf } from './request-id.ts'

/** The same text for all requests of a client on a connection. */
function clientMeta({ client, node }: Exchange): string {
  if (client.meta === '') {
    const { address, port, scheme, ip, certificate } = client
    const asn = ip && node.networkOf(ip)
    client.meta = JSON.stringify({ client: { address, port, scheme, asn, certificate }, scheme })
  }
  return client.meta
}

/** The same for units that read `edge.requestId`, with that. */
export function requestMeta(exchange: Exchange): string {
  const meta = clientMeta(exchange)
  if (!exchange.plan.readsRequestId) return meta
  return `${meta.slice(0, -1)},"requestId":${JSON.stringify(requestIdOf(exchange))}}`
}

/** With what is known once there is an answer. Times in milliseconds; absent where nothing was asked. */
export function timedMeta(exchange: Exchange): string {
  const timing = {
    requestMs: exchange.node.monotonic() - exchange.startedMs,
    tcpRttUs: tcpRoundTripUs(exchange.connection.socket),
    ...exchange.timing,
  }
  const meta = `${requestMeta(exchange).slice(0, -1)},"timing":${JSON.stringify(timing)}`
  return exchange.plan.readsCache ? `${meta},"cache":${JSON.stringify(cacheOutcome(exchange))}}` : `${meta}}`
}
