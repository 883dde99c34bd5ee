/** Where the DNS plane listens: one address, port and transport, shared by all server blocks that are served there. */
import type { DnsOutcome, DnsTls, DnsTransport } from '../contract/dns.ts'
import type { ServerQuery } from './query.ts'

export interface EndpointTimeouts {
  readonly readMs: number
  readonly writeMs: number
  readonly idleMs: number
}

export interface Endpoint {
  readonly transport: DnsTransport
  /** Empty for all addresses of the machine, of both families. */
  readonly host: string
  /** Zero: one that the kernel chooses, the same for UDP and TCP. */
  readonly port: number
  /** Of `tls` and `https`. */
  readonly tls: DnsTls | undefined
  readonly timeouts: EndpointTimeouts
  /** As metrics have it: `dns://:53`. */
  readonly label: string
}

/** What is done with a query once it is read; the server finishes and sends what comes of it. */
export type AnswerQuery = (query: ServerQuery) => DnsOutcome | Promise<DnsOutcome>

export interface EndpointServer {
  /** Where it really listens: `dns://127.0.0.1:5300`. */
  readonly address: string
  /** For connections that come from now on. */
  setTimeouts(timeouts: EndpointTimeouts): void
  /** Of `tls` and `https`: reads another certificate, in force once the function is called. Throws where it cannot be read. */
  changeTls?(tls: DnsTls): () => void
  /** Takes no more, answers what is on its way for a few seconds at most, and ends. */
  close(): Promise<void>
}

/** Rejects with `port-in-use` where the address cannot be had. */
export type OpenEndpoint = (endpoint: Endpoint, answer: AnswerQuery) => Promise<EndpointServer>

export const endpointLabel = (transport: DnsTransport, host: string, port: number): string =>
  `${transport}://${host.includes(':') ? `[${host}]` : host}:${port}`
