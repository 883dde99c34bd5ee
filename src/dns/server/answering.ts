/** What all servers of an endpoint have in common: how a query that was read becomes bytes of an answer. */
import type { DnsOutcome, NothingWritten } from '../../contract/dns.ts'
import { OPCODE, OPTION, RCODE } from '../../wire/dns/codes.ts'
import { DnsMessage } from '../../wire/dns/message.ts'
import type { AnswerQuery, Endpoint } from '../endpoint.ts'
import type { ServerQuery } from '../query.ts'
import type { Amplification } from './amplification.ts'
import { type AnswerSurroundings, writeAnswer } from './answer-writer.ts'
import type { ServerCookies } from './server-cookies.ts'

/** Queries that are on their way at one endpoint. Beyond that, what cannot be answered at once is SERVFAIL. */
const PENDING_MAX = 20_000

export interface AnsweringOptions {
  readonly cookies: ServerCookies
  readonly amplification: Amplification
  /** Milliseconds of the machine's steady clock. */
  readonly nowMs: () => number
}

export class Answering implements AnswerSurroundings {
  readonly endpoint: Endpoint
  readonly cookies: ServerCookies
  readonly idleMs: number
  readonly nowMs: () => number
  readonly #amplification: Amplification
  readonly #answer: AnswerQuery
  #pending = 0
  #onIdle: (() => void) | undefined

  constructor(endpoint: Endpoint, answer: AnswerQuery, options: AnsweringOptions) {
    this.endpoint = endpoint
    this.#answer = answer
    this.cookies = options.cookies
    this.#amplification = options.amplification
    this.nowMs = options.nowMs
    this.idleMs = endpoint.timeouts.idleMs
  }

  /** Never rejects nor throws. */
  answer(query: ServerQuery): DnsOutcome | Promise<DnsOutcome> {
    const { asked } = query
    if (asked.edns !== undefined && asked.edns.version > 0) return badVersion(query)
    if (asked.isWithoutQuestion === true) return withoutQuestion(query)
    let outcome: DnsOutcome | Promise<DnsOutcome>
    try {
      outcome = this.#answer(query)
    } catch {
      return RCODE.SERVFAIL
    }
    if (!(outcome instanceof Promise)) return outcome
    if (this.#pending >= PENDING_MAX) {
      outcome.catch(() => undefined)
      query.explain('not ready', `${PENDING_MAX} queries are on their way`)
      return RCODE.SERVFAIL
    }
    this.#pending += 1
    return outcome.then(
      (late) => this.#done(late),
      () => this.#done(RCODE.SERVFAIL),
    )
  }

  #done(outcome: DnsOutcome): DnsOutcome {
    this.#pending -= 1
    if (this.#pending === 0) this.#onIdle?.()
    return outcome
  }

  /** Resolves once no query is on its way, or the time is up. */
  async idle(withinMs: number): Promise<void> {
    if (this.#pending === 0) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, withinMs)
      this.#onIdle = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  /** The bytes of the answer, into `into`; returns their number. */
  write(query: ServerQuery, outcome: DnsMessage | NothingWritten, into: Buffer): number {
    let length = writeAnswer(query, outcome, into, this)
    let rcode = typeof outcome === 'number' ? outcome : outcome.rcode
    if (query.isMinimalAny && !this.#amplification.allows(query, length)) {
      const instead = query.reply()
      instead.isTruncated = true
      length = writeAnswer(query, instead, into, this)
      rcode = RCODE.NOERROR
    }
    query.counts?.answered(query, rcode, length)
    return length
  }
}

/** RFC 6891 §6.1.3: the answer says which version we speak. */
function badVersion(query: ServerQuery): DnsMessage {
  query.explain('not supported', 'EDNS has version 0 here')
  return query.reply(RCODE.BADVERS)
}

/** For the sake of the cookie alone. Without one there is nothing to answer. */
function withoutQuestion(query: ServerQuery): DnsOutcome {
  if (query.opcode !== OPCODE.QUERY) return RCODE.FORMERR
  const hasCookie = query.asked.edns!.options.some(({ code }) => code === OPTION.COOKIE)
  if (!hasCookie) return RCODE.FORMERR
  const answer = query.reply()
  answer.question = []
  return answer
}

