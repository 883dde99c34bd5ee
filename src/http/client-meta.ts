/** What a unit may know of the client and the time a request took: the JSON behind `edge.client` and `edge.timing`. */
import { tcpRoundTripUs } from '../base/tcp-info.ts'
import type { ServerConnection } from './connection.ts'
import type { Exchange } from './exchange.ts'

/** The same text for all requests of a connection. */
export function clientMeta(connection: ServerConnection): string {
  if (connection.clientMeta === '') {
    const client = { address: connection.address, port: connection.port }
    connection.clientMeta = JSON.stringify({ client, scheme: 'http' })
  }
  return connection.clientMeta
}

/** With what is known once there is an answer. Times in milliseconds; absent where nothing was asked. */
export function timedMeta(exchange: Exchange): string {
  const timing = {
    requestMs: exchange.node.monotonic() - exchange.startedMs,
    tcpRttUs: tcpRoundTripUs(exchange.connection.socket),
    ...exchange.timing,
  }
  return `${clientMeta(exchange.connection).slice(0, -1)},"timing":${JSON.stringify(timing)}}`
}
