/** What a connection needs of those around it: its server, and whoever works on its request. */
import type { Socket } from 'node:net'
import type { PeerFacts } from './forwarding/peer.ts'
import type { RequestHead } from '../wire/http1/message.ts'
import type { HeadLimits } from '../wire/http1/request-parser.ts'
import type { ClientConnection } from './client-connection.ts'

export interface ConnectionLimits extends HeadLimits {
  readonly bodyBytes: number
  /** Requests at once on one HTTP/2 connection. */
  readonly streams: number
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
  onRequest(connection: ClientConnection & AttachPoint, head: RequestHead): void
  /** A message was refused before it became a request. */
  onRefused(refusal: Refusal): void
  /** A connection has ended, after it sent so many bytes. */
  onClose(connection: Held): void
}

/** Whose request is answered by somebody who wants to be told of the client. */
export interface AttachPoint {
  attach(inProgress: Answering): void
}

/** A message that was answered by its status and the end of the connection. */
export interface Refusal {
  readonly connection: { readonly socket: Socket; readonly ends: PeerFacts }
  /** Undefined where not even a head could be read. */
  readonly head: RequestHead | undefined
  readonly status: number
  readonly bytesSent: number
}

/** A connection as its server keeps it. */
export interface Held extends Asked {
  readonly socket: Socket
  readonly bytesOut: number
  checkDeadline(nowMs: number): void
  /** The node drains: ends as soon as nothing is in progress. */
  closeIdle(): void
  /** Those on it; absent: it is the only one itself. */
  readonly requests?: Iterable<Asked>
}

/** A place where a request may be in progress. */
export interface Asked {
  readonly inProgress?: Answering | undefined
  /** Breaks its answer off. */
  cut?(): void
}

/** What is in progress on a connection: told when the client goes away, or may be written to again. */
export interface InProgress {
  onDrain(): void
  onGone(): void
}

/** A request that is being answered; once its answer is out, the connection has written down how many bytes it took. */
export interface Answering extends InProgress {
  /** Who asks, where that is known. */
  readonly client?: { readonly address: string } | undefined
  /** On the wire, heads and framing included. */
  bytesSent: number
  headBytes: number
  bytesReceived: number
}
