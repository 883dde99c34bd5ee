/**
 * A request's way back to its client: what the stages of a request may ask of whatever brought it.
 *
 * There are two: `ServerConnection`, on which HTTP/1.1 has one request at a time, and `Http2Stream`, one of many on a connection.
 * A head is given as HTTP/1.1 text (status line, then `name: value\r\n`, no empty line): the common case writes it as it is.
 */
import type { Socket } from 'node:net'
import type { HeaderList } from '../wire/http1/message.ts'
import type { BodyFraming } from './answer-writer.ts'
import type { StoredBody } from './caching/stored-body.ts'
import type { Peer, PeerFacts } from './forwarding/peer.ts'
import type { Answering } from './connection-host.ts'
import type { BodyConsumer } from './incoming-body.ts'
import type { ListenerFacts } from './listener-facts.ts'
import type { Range } from './ranges/byte-ranges.ts'

export interface ClientConnection {
  /** Tells who is to be told of the client until the answer is out. */
  attach(inProgress: Answering): void
  /** For what the kernel knows of it; nobody but the connection reads or writes it. */
  readonly socket: Socket
  readonly ends: PeerFacts
  /** Who is at its other end; made from `ends` with the first request. */
  peer: Peer | undefined
  /** Where it came in: its scheme, and what that address asks of every request. */
  readonly listener: ListenerFacts

  /** The request has a body that was not read to its end. */
  readonly hasBody: boolean
  /** Hands the request's body to a consumer, beginning with what has already come. */
  readBody(consumer: BodyConsumer): void
  /** After a consumer said false: it takes more. */
  resumeBody(): void

  /** Something of the answer has left. While the head of a stream is held for its first piece, a whole answer may still take its place. */
  readonly hasSentHead: boolean
  /** Sends a whole answer. The body has the length that the head says, or is empty for HEAD. */
  sendWhole(head: string, body: string | Buffer): void
  /**
   * Sends a whole answer whose body is stored, or a part of what is, at the client's pace. `onSent` when all of it has left; not if the
   * client goes.
   */
  sendStored(head: string, body: StoredBody, onSent: () => void, part?: Range): void
  /**
   * Begins an answer whose body follows piece by piece. Of a known `length` it needs a `content-length` in the
   * head already; the others get theirs here.
   */
  startStream(head: string, body: BodyFraming): void
  /** Lets the head of a stream leave, if no piece has taken it along. */
  flushHead(): void
  /** Sends a piece of the body; copies it. False: the client is slow, wait for `onDrain`. */
  sendChunk(chunk: Buffer): boolean
  /** The same for a piece in several parts that nobody changes any more: large ones are not copied. */
  sendParts(parts: readonly Buffer[]): boolean
  endStream(trailers: HeaderList): void
  /** Sends an interim answer, such as 103. */
  sendInformational(status: number, headers: HeaderList): void
  /**
   * After this whole head (101) all that the client sends is `consumer`'s, beginning with what came before, and its end is a problem; the
   * way back is `sendChunk` and `endStream`. Absent where there is no such thing: one stream of many cannot change the connection.
   */
  switchProtocols?(head: string, consumer: BodyConsumer): void
  /** Breaks off an answer that cannot be completed, so that the client does not take what it got for whole. */
  cut(): void
  /** Absent: what was given leaves as fast as the client takes it. Else `then` is called when all of it has left, or the client is gone. */
  whenSent?(then: () => void): void
}
