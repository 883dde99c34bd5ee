/**
 * The server behind the edge, as the pipeline sees it: send a request, be told the answer piece by piece.
 *
 * Callbacks, not promises: the answer of a proxied request passes here once a chunk, and each costs.
 */
import type { HeaderList, ResponseHead } from '../wire/http1/message.ts'
import type { EdgeError } from '../base/errors.ts'
import type { MetricSample } from './messages.ts'

export interface OriginRequest {
  readonly method: string
  /** Path and query, in origin form. */
  readonly target: string
  /** End-to-end headers with `host`, hop-by-hop ones already gone. Framing headers are added by the client. */
  readonly headers: HeaderList
  /** What follows: nothing, a body of that many bytes, or one of unknown length (sent chunked). */
  readonly body: 'none' | 'chunked' | number
  /** The body is at hand, and written at once: nobody has to be waited for. */
  readonly isWhole?: boolean | undefined
  /** Protocols to switch to, as in the field `Upgrade`: then the answer may be 101, and what follows are raw bytes in both directions. */
  readonly upgrade?: string | undefined
  /** Who asks; `consistent-hash` may go by it. */
  readonly client?: { readonly address: string }
  /** One of the origin's `endpoints`: it alone is asked. Absent: the origin chooses, and moves on where one fails. */
  readonly endpoint?: string | undefined
}

/** Told in this order: `onHead` (after any number of `onInformational`), `onData`…, then `onEnd`; or `onError` at any point, once, and then nothing. */
export interface OriginHandler {
  /** 1xx other than 101, which comes by `onHead`, and only if `upgrade` asked for it. */
  onInformational?(head: ResponseHead): void
  /** Before the head: that endpoint failed by this word or status of `retries.on`, and the request is sent once more, there or elsewhere. */
  onRetry?(endpoint: string, reason: string | number): void
  onHead(head: ResponseHead): void
  /** A piece of the body, without its framing. Valid until this returns: copy what is kept. Return false to pause; then call `resume`. */
  onData(chunk: Buffer): boolean
  onEnd(trailers: HeaderList): void
  /**
   * Before the head: no answer came (502 or 504 by its code). After it: the answer was cut short, and must not be passed
   * on nor stored as complete.
   */
  onError(error: EdgeError): void
  /** The body that was written has left; write on. */
  onDrain(): void
}

export interface OriginCall {
  /** Sends a piece of the body; copies or keeps it as it needs. False: wait for `onDrain`. */
  write(chunk: Buffer): boolean
  /** The request's body is whole. Call it also when `body` is `none`? No: only when a body was announced. */
  end(trailers?: HeaderList): void
  resume(): void
  /** The client went away: give up, tell the handler nothing more. The connection is not used again. */
  abort(): void
  /** For metrics and units: milliseconds from call to connected (0 for a kept connection) and to the head. */
  readonly connectMs: number
  readonly responseMs: number
  readonly endpoint: string
}

/** A call that an origin has taken. */
export interface SentCall extends OriginCall {
  /** After 101: raw bytes, copied. False: wait for `onDrain`. */
  relay(bytes: Buffer): boolean
  /** After 101: no more of them. */
  endRelay(): void
}

/** The origin of one site: its endpoints and their kept connections. */
export interface Origin {
  /** What its endpoints are called in the configuration: their names, or URLs where they have none. */
  readonly endpoints: readonly string[]
  send(request: OriginRequest, handler: OriginHandler): SentCall
  /** How its endpoints do, as this worker sees them: for people. */
  state(): OriginState
  /** The same in numbers, for a scrape. */
  samples(site: string): MetricSample[]
  /** Closes idle connections; those in use close when they are done. */
  close(): void
}

/**
 * `up`: takes requests. `down`: its checks fail. `ejected`: left out for a while because requests failed.
 * `leaving`: its name has this address no more; what is under way there is finished.
 */
export type EndpointHealth = 'up' | 'down' | 'ejected' | 'leaving'

export interface EndpointState {
  /** As configured: its name, or URL. */
  readonly endpoint: string
  /** `10.0.0.1:9000`: several endpoints may stand behind one name. */
  readonly address: string
  readonly state: EndpointHealth
  readonly weight: number
  /** What of the weight counts now: less while it starts slowly. */
  readonly share: number
  /** The bound that keeps it from one more request now; `uploads`: from one whose body is still to come. */
  readonly full?: 'connections' | 'pending' | 'requests' | 'uploads'
  readonly backup: boolean
  /** Requests under way. */
  readonly active: number
  readonly connections: number
  readonly waiting: number
  readonly requests: number
  readonly errors: number
  readonly ejections: number
  /** Why it is not up, or what went wrong last. */
  readonly reason?: string
}

export interface OriginState {
  readonly balance: string
  readonly endpoints: readonly EndpointState[]
  /** Names whose addresses could not be learnt the last time, with the reason. */
  readonly unresolved: readonly { readonly name: string; readonly reason: string }[]
  /** Of its circuit breaker, where it has one. */
  readonly circuit?: CircuitState
}

/** `open`: no request goes there for a while. `half-open`: one does, and decides. */
export type CircuitState = 'closed' | 'open' | 'half-open'
