/** What a connection needs of those around it: its server, and whoever works on its request. */
import type { RequestHead } from '../wire/http1/message.ts'
import type { HeadLimits } from '../wire/http1/request-parser.ts'
import type { ServerConnection } from './connection.ts'

export interface ConnectionLimits extends HeadLimits {
  readonly bodyBytes: number
  /** Milliseconds, as in `config.edge.limits`. */
  readonly idle: number
  readonly head: number
  readonly body: number
}

/** What the connection needs of its server. */
export interface ConnectionHost {
  readonly limits: ConnectionLimits
  readonly draining: boolean
  /** Milliseconds, monotonic, exact to a sweep: for deadlines. */
  readonly nowMs: number
  /** A whole request head has arrived. Answers by the connection's `send…`, now or later. */
  onRequest(connection: ServerConnection, head: RequestHead): void
  /** A message was refused before it became a request. */
  onRefused(status: number): void
  onClose(connection: ServerConnection): void
}

/** What is in progress on a connection: told when the client goes away, or may be written to again. */
export interface InProgress {
  onDrain(): void
  onGone(): void
}
