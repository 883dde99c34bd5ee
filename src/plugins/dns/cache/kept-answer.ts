/**
 * An answer in the cache. Its records are shown with their TTLs decreased; the lists that show them are made once a second at most, and shared by all
 * answers of that second: what is asked for often costs one small message a query.
 */
import type { DnsOutcome, DnsQuery } from '../../../contract/dns.ts'
import { DnsMessage } from '../../../wire/dns/message.ts'
import type { DnsRecord } from '../../../wire/dns/record.ts'
import type { AnswerKind } from './answer-kind.ts'

export interface Holding {
  readonly kind: AnswerKind
  /** Seconds that it is fresh. */
  readonly ttl: number
  /** No record is shown to hold for less or for longer. */
  readonly ttlMin: number
  readonly ttlMax: number
  /** TTLs are shown as they were. */
  readonly keepsTtl: boolean
}

/** Memory of a record beside its data and the bytes of its name, and of an answer beside its records. */
const RECORD_BYTES = 200
const ANSWER_BYTES = 400
/** An answer of up to so many bytes counts as one; what is larger counts as several. */
export const COUNT_BYTES = 2048

export class KeptAnswer {
  /** Of the name, in lower case. */
  readonly name: string
  /** Type, flags: what an answer depends on beside the name. */
  readonly variant: number
  readonly weight: number
  readonly holding: Holding
  readonly storedMs: number
  readonly message: DnsMessage
  /** Where nothing was written, the outcome, and what was said of it. */
  readonly failed: { readonly outcome: DnsOutcome; readonly why: DnsQuery['explanations'] } | undefined
  /** The next of the same name. */
  sibling: KeptAnswer | undefined
  /** Until then nobody tries again to get a newer one, though this is out of date. */
  retryMs = 0
  /** Uses without a longer pause, for `prefetch`. */
  hits = 0
  hitMs = 0
  // What the replacement policy keeps here.
  newer: KeptAnswer | undefined
  older: KeptAnswer | undefined
  mark = 0
  hash = 0
  /** Seconds since it was stored that the lists below were made for. */
  #shownAge = -1
  #answer: DnsRecord[] = []
  #authority: DnsRecord[] = []
  #additional: DnsRecord[] = []

  constructor(
    name: string,
    variant: number,
    message: DnsMessage,
    holding: Holding,
    storedMs: number,
    failed?: KeptAnswer['failed'],
  ) {
    this.name = name
    this.variant = variant
    this.message = message
    this.holding = holding
    this.storedMs = storedMs
    this.failed = failed
    this.weight = Math.ceil(bytesOf(message) / COUNT_BYTES)
  }

  /** For the policy, which remembers what has left by it. */
  get key(): string {
    return `${this.name}${this.variant}`
  }

  /** Seconds that are left; zero and less: it is out of date. */
  ttl(nowMs: number): number {
    return this.holding.ttl - Math.floor((nowMs - this.storedMs) / 1000)
  }

  /** As an answer to the query, `nowMs` of the steady clock. Its lists are shared. */
  answerTo(query: DnsQuery, nowMs: number): DnsMessage {
    const age = Math.floor((nowMs - this.storedMs) / 1000)
    if (age !== this.#shownAge) this.#show(age)
    const { message } = this
    const answer = query.reply(message.rcode)
    answer.isAuthoritative = message.isAuthoritative
    answer.isRecursionAvailable = message.isRecursionAvailable
    // Told to those who asked for it (RFC 6840 §5.8).
    answer.isAuthentic = message.isAuthentic && (query.isAuthenticWanted || query.do())
    answer.answer = this.#answer
    answer.authority = this.#authority
    answer.additional = this.#additional
    return answer
  }

  #show(age: number): void {
    this.#shownAge = age
    const { message, holding } = this
    this.#answer = aged(message.answer, age, holding)
    this.#authority = aged(message.authority, age, holding)
    this.#additional = aged(message.additional, age, holding)
  }
}

/** What is out of date holds no longer: TTL 0. */
function aged(records: readonly DnsRecord[], age: number, holding: Holding): DnsRecord[] {
  const { ttlMin, ttlMax, keepsTtl, ttl } = holding
  const isStale = age >= ttl
  const shown: DnsRecord[] = Array.from({ length: records.length })
  for (let index = 0; index < records.length; index++) {
    const record = records[index]!
    const whole = Math.min(Math.max(record.ttl, ttlMin), ttlMax)
    shown[index] = record.withTtl(isStale ? 0 : keepsTtl ? whole : Math.max(0, whole - age))
  }
  return shown
}

function bytesOf({ answer, authority, additional }: DnsMessage): number {
  let bytes = ANSWER_BYTES
  for (const records of [answer, authority, additional])
    for (const { name, rdata } of records) bytes += RECORD_BYTES + name.wire.length + rdata.length
  return bytes
}
