/** One answered, aborted or refused request, as the access log and telemetry see it. An `Exchange` is one. */
import type { Socket } from 'node:net'
import type { RequestHead } from '../../wire/http1/message.ts'
import type { AnswerSource } from '../answer.ts'
import type { ClientFacts } from '../client.ts'
import type { TraceContext } from '../trace-context.ts'
import type { Peer } from '../forwarding/peer.ts'
import type { Refusal } from '../connection-host.ts'
import { NO_UNITS, type UnitPlan } from '../unit-plan.ts'
import type { UnitTiming } from '../unit-stage.ts'

export interface LoggedRequest {
  readonly client: ClientFacts
  readonly connection: { readonly socket: Socket; readonly peer?: Pick<Peer, 'isTrusted'> | undefined }
  /** Undefined where what came could not be read as a request. */
  readonly head: RequestHead | undefined
  /** What the client got; undefined where it went away before. */
  readonly answered: { readonly status: number; readonly source: AnswerSource } | undefined
  /** The client went away, or the answer was cut; once protocols were switched, either side did not end in order. */
  readonly gone: boolean
  /** Heads and framing included. */
  readonly bytesSent: number
  readonly headBytes: number
  readonly bytesReceived: number
  readonly plan: UnitPlan
  readonly site: { readonly name: string } | undefined
  /** The endpoint that was asked last; empty where none was. */
  readonly upstream: string
  readonly timing: UnitTiming | undefined
  /** The word of the cache's metric: `hit`, `uri-miss`…; empty where it was not asked. */
  readonly cacheResult: string
  /** The answer's headers as sent, where somebody wants them: see `Site.keepsFields`. */
  readonly finalFields: string
  /** The limit that refused it, or would have: `login refused`, `login dry-run`; empty where none did. */
  readonly limit?: string
  /** See `requestIdOf`: given when the first one asks. */
  id?: string | undefined
  /** Where the node takes part in traces, and somebody was told. */
  readonly trace?: TraceContext | undefined
}

/** What is the same for every field of a line. */
export interface Moment {
  readonly nowMs: number
  readonly durationMs: number
  readonly node: string
  readonly worker: number
}

/** What was refused before it became a request, or before a site was asked. */
export function refusedRequest({ connection, head, status, bytesSent }: Refusal): LoggedRequest {
  return {
    client: connection.ends,
    connection,
    head,
    bytesSent,
    headBytes: 0,
    bytesReceived: head === undefined ? 0 : head.raw.length + 2,
    answered: { status, source: 'edge' },
    gone: false,
    plan: NO_UNITS,
    site: undefined,
    upstream: '',
    timing: undefined,
    cacheResult: '',
    finalFields: '',
  }
}

/** The client closed its connection before it was answered: what nginx writes for it. */
const CLIENT_GONE = 499

export const statusOf = ({ answered }: LoggedRequest): number => answered?.status ?? CLIENT_GONE
