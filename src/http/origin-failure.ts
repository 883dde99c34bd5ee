/** An origin that failed: counted, told to the operator, and the endpoint noted for the access log. */
import type { EdgeError } from '../base/errors.ts'
import type { OriginCall } from '../contract/origin.ts'
import type { Exchange } from './exchange.ts'

export function noteOriginFailure(exchange: Exchange, error: EdgeError, call: OriginCall | undefined): void {
  exchange.node.metrics.countOriginError(error.code)
  exchange.upstream = call?.endpoint ?? ''
  exchange.node.warn(`${exchange.method} ${exchange.head.authority}${exchange.target}: ${error.message}`)
}
