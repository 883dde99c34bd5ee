/** What all servers of an endpoint have in common: how a query that was read becomes bytes of an answer. */
import { DROPPED, type DnsOutcome, DnsStream, type NothingWritten } from '../../contract/dns.ts'
import type { DnsSignature } from '../../contract/dns-signature.ts'
import { OPCODE, OPTION, RCODE } from '../../wire/dns/codes.ts'
import { type DnsMessage, MESSAGE_BYTES_MAX } from '../../wire/dns/message.ts'
import type { AnswerQuery, Endpoint, EndpointTimeouts } from '../endpoint.ts'
import { type DnsPeer, OUR_UDP_SIZE, ServerQuery } from '../query.ts'
import type { Amplification } from './amplification.ts'
import {
  type AnswerSurroundings,
  REFUSAL_BYTES_MAX,
  writeAnswer,
  writeRefusal,
  writeTruncated,
} from './answer-writer.ts'
import { IGNORED, readQuery } from './query-reader.ts'
import type { ServerCookies } from './server-cookies.ts'

/** What a codec may write beyond the end before it sees that it does not fit. */
const ROOM_BEYOND = 1024

export interface AnsweringOptions {
  readonly cookies: ServerCookies
  readonly amplification: Amplification
  /** Milliseconds of the machine's steady clock. */
  readonly nowMs: () => number
  /** Who was to answer threw, or what it answered is nothing that can be written: the query was SERVFAIL. */
  onFailure?(query: ServerQuery, what: string, error: unknown): void
}

export class Answering implements AnswerSurroundings {
  readonly endpoint: Endpoint
  readonly cookies: ServerCookies
  /** Of connections that come from now on. */
  timeouts: EndpointTimeouts
  readonly nowMs: () => number
  readonly #amplification: Amplification
  readonly #onFailure: AnsweringOptions['onFailure']
  readonly #answer: AnswerQuery
  #pending = 0
  #onIdle: (() => void) | undefined

  constructor(endpoint: Endpoint, answer: AnswerQuery, options: AnsweringOptions) {
    this.endpoint = endpoint
    this.#answer = answer
    this.cookies = options.cookies
    this.#amplification = options.amplification
    this.nowMs = options.nowMs
    this.#onFailure = options.onFailure
    this.timeouts = endpoint.timeouts
  }

  get idleMs(): number {
    return this.timeouts.idleMs
  }

  /** Never rejects nor throws. */
  answer(query: ServerQuery): DnsOutcome | Promise<DnsOutcome> {
    const { asked } = query
    if (asked.edns !== undefined && asked.edns.version > 0) return badVersion(query)
    if (asked.isWithoutQuestion === true) return withoutQuestion(query)
    let outcome: DnsOutcome | Promise<DnsOutcome>
    try {
      outcome = this.#answer(query)
    } catch (error) {
      return this.#failed(query, error)
    }
    if (!(outcome instanceof Promise)) return outcome
    this.#pending += 1
    return outcome.then(
      (late) => this.#done(late),
      (error: unknown) => this.#done(this.#failed(query, error)),
    )
  }

  /**
   * From bytes to bytes, for whoever has a whole message in hand (HTTPS). Undefined where nothing is to be sent. An answer that is several messages
   * is for connections alone: it is refused here.
   */
  async answerBytes(bytes: Buffer, peer: DnsPeer): Promise<Buffer | undefined> {
    const asked = readQuery(bytes, 0, bytes.length)
    if (asked === IGNORED) return undefined
    if (typeof asked === 'number') return refusal(bytes, asked)
    const query = new ServerQuery(asked, peer, bytes, this.nowMs())
    if (peer.isUdp) query.sizeMax = OUR_UDP_SIZE
    const cookie = asked.edns?.options.find(({ code }) => code === OPTION.COOKIE)
    if (cookie && this.cookies.read(cookie.data, query.addressBytes()) === 'malformed')
      return this.#written(query, malformedCookie(query))
    const outcome = await this.answer(query)
    if (outcome === DROPPED) return undefined
    return this.#written(query, outcome instanceof DnsStream ? RCODE.REFUSED : outcome)
  }

  #written(query: ServerQuery, outcome: DnsMessage | NothingWritten): Buffer {
    const into = Buffer.allocUnsafe(MESSAGE_BYTES_MAX + ROOM_BEYOND)
    return into.subarray(0, this.write(query, outcome, into))
  }

  /** Handlers have their guards: what comes here was thrown around them, such as by a filter of `view`. */
  #failed(query: ServerQuery, error: unknown): NothingWritten {
    this.#onFailure?.(query, 'who answers cannot be found', error)
    query.explain('other', 'server: failed')
    return RCODE.SERVFAIL
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
    let rcode = typeof outcome === 'number' ? outcome : outcome.rcode
    let length: number
    try {
      length = writeAnswer(query, outcome, into, this)
    } catch (error) {
      // A plugin may put into a message what is none of its parts.
      this.#onFailure?.(query, 'its answer cannot be written', error)
      query.explain('other', `${query.answeredBy}: its answer cannot be written`)
      rcode = RCODE.SERVFAIL
      length = writeAnswer(query, RCODE.SERVFAIL, into, this)
    }
    if (query.mayBeForged && !(query.amplification ?? this.#amplification).allows(query, length)) {
      length = writeTruncated(query, rcode, into, this)
      // The upper bits went with the OPT record that says them.
      rcode &= 0x0f
    }
    if (query.signature) length = signedInto(query.signature, into, length)
    query.counts?.answered(query, rcode, length)
    return length
  }
}

/** The room for it was left. */
function signedInto(signature: DnsSignature, into: Buffer, length: number): number {
  const signed = signature.sign(into.subarray(0, length))
  signed.copy(into)
  return signed.length
}

/** RFC 6891 §6.1.3: the answer says which version we speak. */
function badVersion(query: ServerQuery): DnsMessage {
  query.explain('not supported', 'EDNS has version 0 here')
  return query.reply(RCODE.BADVERS)
}

/** RFC 7873 §5.2.2: the question and OPT stay, so that the client does not take us for a server without EDNS. */
export function malformedCookie(query: ServerQuery): typeof RCODE.FORMERR {
  query.explain('other', 'a cookie has 8 bytes, or 16 to 40')
  return RCODE.FORMERR
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

function refusal(bytes: Buffer, rcode: number): Buffer {
  const into = Buffer.alloc(REFUSAL_BYTES_MAX)
  return into.subarray(0, writeRefusal(bytes, 0, bytes.length, rcode, into))
}
