/** What a unit may know of the client and the time a request took: the JSON behind `edge.client` and `edge.timing`. */
import { tcpRoundTripUs } from '../base/tcp-info.ts'
import type { ServerConnection } from './connection.ts'
import type { Exchange } from './exchange.ts'

/** The part that stays the same for a connection. */
const bases = new WeakMap<ServerConnection, string>()

function clientBase(connection: ServerConnection): string {
  let base = bases.get(connection)
  if (base === undefined) {
    const client = { address: connection.address, port: connection.port }
    base = `{"client":${JSON.stringify(client)},"scheme":"http"`
    bases.set(connection, base)
  }
  return base
}

/** `withTiming` adds what is known once there is an answer. Times in milliseconds; absent where nothing was asked. */
export function clientMeta(exchange: Exchange, withTiming: boolean): string {
  const base = clientBase(exchange.connection)
  if (!withTiming) return `${base}}`
  const timing = {
    requestMs: exchange.node.monotonic() - exchange.startedMs,
    tcpRttUs: tcpRoundTripUs(exchange.connection.socket),
    ...exchange.timing,
  }
  return `${base},"timing":${JSON.stringify(timing)}}`
}
