/**
 * A fetch that no client waits for: a stale answer has gone out, and what comes is for the cache alone.
 *
 * It is a request of its own with the head of the one that was answered, and goes through the units around the origin as that
 * would have; its client counts as gone from the beginning. Nothing of it is logged or counted as a request.
 */
import type { Socket } from 'node:net'
import type { ClientConnection } from './client-connection.ts'
import { Exchange } from './exchange.ts'
import type { Peer, PeerFacts } from './forwarding/peer.ts'
import type { ListenerFacts } from './listener-facts.ts'

/** The same request once more, with nobody at its other end. */
export function withoutClient(exchange: Exchange): Exchange {
  const { node, connection, head, client, plan } = exchange
  const nobody = new Nobody(connection)
  const copy = new Exchange(node, nobody, head, client, { ...plan, headerFilter: [], log: [], watched: [] })
  copy.site = exchange.site
  copy.applyEdits(exchange.edits)
  copy.states = exchange.states
  copy.cacheKey = exchange.cacheKey
  copy.id = exchange.id
  copy.gone = true
  return copy
}

/** What a connection was, for those who ask; nothing leaves by it. */
class Nobody implements ClientConnection {
  readonly socket: Socket
  readonly ends: PeerFacts
  peer: Peer | undefined
  readonly listener: ListenerFacts
  readonly hasBody = false
  readonly hasSentHead = false

  constructor({ socket, ends, peer, listener }: ClientConnection) {
    this.socket = socket
    this.ends = ends
    this.peer = peer
    this.listener = listener
  }

  attach(): void {}
  readBody(): void {}
  resumeBody(): void {}
  sendWhole(): void {}
  sendStored(): void {}
  startStream(): void {}
  flushHead(): void {}
  sendChunk(): boolean {
    return true
  }
  sendParts(): boolean {
    return true
  }
  endStream(): void {}
  sendInformational(): void {}
  cut(): void {}
}
