/**
 * Answers from memory what was answered before, and keeps what comes from behind.
 *
 * A hit makes no promise and copies no record. Queries that ask for the same while nobody knows it yet wait for one answer together. What depends on
 * who asks is not kept: answers marked so, and those for a part of the network (RFC 7871); what asks for such a part is kept apart.
 */
import type { DnsController, DnsHandler, DnsNext, DnsOutcome, DnsQuery } from '../../../contract/dns.ts'
import { CLASS, OPCODE, OPTION, RCODE, TYPE } from '../../../wire/dns/codes.ts'
import { DnsMessage } from '../../../wire/dns/message.ts'
import type { DnsName } from '../../../wire/dns/name.ts'
import { areSignaturesInForce, hasClientScope, isStale, kindOf, leastTtl } from './answer-kind.ts'
import { AnswerStore, storeOf } from './answer-store.ts'
import { type CacheCounts, CacheFigures } from './figures.ts'
import { type Holding, KeptAnswer } from './kept-answer.ts'
import type { CacheOptions } from './options.ts'

/** While what is out of date is served, a newer one is tried for so often at most (RFC 8767 §5). */
const RETRY_MS = 5000
/** Nobody joins those who have waited for so long: something hangs behind, and may not hang for who asks now. */
const FLIGHT_MS = 5000
/** What is asked for beyond so many is asked for by each alone. */
const FLIGHTS_MAX = 10_000

interface Flight {
  /** An answer that others may have too, or undefined where each has to ask. */
  readonly kept: Promise<KeptAnswer | undefined>
  readonly startedMs: number
}

export class CacheHandler implements DnsHandler {
  readonly #options: CacheOptions
  readonly #store: AnswerStore
  readonly #figures: CacheFigures
  readonly #steadyNow: () => number
  readonly #now: () => number
  /** What somebody waits for just now, by name and variant. */
  readonly #flights = new Map<string, Flight>()

  constructor(options: CacheOptions, controller: DnsController) {
    const { host } = controller
    this.#options = options
    this.#steadyNow = host.steadyNow
    this.#now = host.now
    this.#figures = new CacheFigures(controller, options.zones.join(','))
    const capacities = { success: options.success.capacity, denial: options.denial.capacity }
    this.#store = new AnswerStore(capacities, host.random, (store) =>
      this.#figures.last.evictions[store].add(1),
    )
  }

  handle(query: DnsQuery, next: DnsNext): DnsOutcome | Promise<DnsOutcome> {
    if (!isKeepable(query) || !isWithinOne(query.qname, this.#options.zones)) return next(query)
    const counts = this.#figures.of(query)
    counts.requests.add(1)
    const variant = variantOf(query)
    const kept = this.#store.get(query.qname.key, variant)
    const nowMs = this.#steadyNow()
    const ttl = kept === undefined ? 0 : kept.ttl(nowMs)
    if (kept === undefined || (ttl <= 0 && !this.#mayServeStale(kept, ttl))) {
      counts.misses.add(1)
      return this.#miss(query, next, variant)
    }
    counts.hits[storeOf(kept)].add(1)
    if (ttl <= 0) return this.#stale(query, next, kept, counts, nowMs)
    if (this.#options.prefetchHits > 0) this.#prefetch(query, next, kept, ttl, counts, nowMs)
    return answerOf(kept, query, nowMs)
  }

  #miss(query: DnsQuery, next: DnsNext, variant: number): DnsOutcome | Promise<DnsOutcome> {
    const flight = this.#flights.get(query.qname.key + variant)
    if (!flight || this.#steadyNow() - flight.startedMs > FLIGHT_MS) return this.#fetch(query, next, variant)
    return flight.kept.then((kept) => (kept ? answerOf(kept, query, this.#steadyNow()) : next(query)))
  }

  /** Asks behind, and keeps what comes. */
  #fetch(query: DnsQuery, next: DnsNext, variant: number): DnsOutcome | Promise<DnsOutcome> {
    const outcome = next(query)
    if (outcome instanceof Promise) return this.#fly(query, variant, outcome)
    return this.#firstAnswer(query, outcome, this.#keep(query, variant, outcome))
  }

  async #fly(query: DnsQuery, variant: number, pending: Promise<DnsOutcome>): Promise<DnsOutcome> {
    const key = query.qname.key + variant
    const { promise, resolve } = Promise.withResolvers<KeptAnswer | undefined>()
    const flight: Flight = { kept: promise, startedMs: this.#steadyNow() }
    if (this.#flights.size < FLIGHTS_MAX || this.#flights.has(key)) this.#flights.set(key, flight)
    let kept: KeptAnswer | undefined
    try {
      const outcome = await pending
      kept = this.#keep(query, variant, outcome)
      return this.#firstAnswer(query, outcome, kept)
    } finally {
      if (this.#flights.get(key) === flight) this.#flights.delete(key)
      resolve(kept)
    }
  }

  /** Shown with the same TTLs as later ones; what the server behind said of it is said once. */
  #firstAnswer(query: DnsQuery, outcome: DnsOutcome, kept: KeptAnswer | undefined): DnsOutcome {
    if (!kept || !(outcome instanceof DnsMessage)) return outcome
    const answer = kept.answerTo(query, kept.storedMs)
    if (outcome.edns) answer.edns = outcome.edns
    return answer
  }

  /** The answer as others may have it, stored where it holds for some time. */
  #keep(query: DnsQuery, variant: number, outcome: DnsOutcome): KeptAnswer | undefined {
    const name = query.qname.key
    if (query.isForClientAlone) return undefined
    const nowMs = this.#steadyNow()
    const message =
      outcome === RCODE.SERVFAIL
        ? query.reply(RCODE.SERVFAIL)
        : outcome instanceof DnsMessage
          ? outcome
          : undefined
    if (!message || message.isTruncated || hasClientScope(message)) return undefined
    if (query.do() && !areSignaturesInForce(message, this.#now())) return undefined
    const holding = this.#holdingOf(message, query)
    if (!holding) return undefined
    const asked = message.question[0]
    if (!asked || asked.name.key !== name || asked.type !== query.qtype) {
      this.#figures.of(query).drops.add(1)
      return undefined
    }
    const failed = outcome === message ? undefined : { outcome, why: [...query.explanations] }
    const kept = new KeptAnswer(name, variant, message, holding, nowMs, failed)
    if (holding.ttl <= 0 || this.#isExcepted(query.qname, holding)) return kept
    const before = this.#store.peek(name, variant)
    if (before) {
      // A failure says nothing of what we have: it is kept, and served for as long as that is allowed.
      if (holding.kind === 'error' && this.#mayServeStale(before, Math.min(0, before.ttl(nowMs)))) {
        before.retryMs = nowMs + RETRY_MS
        return kept
      }
      kept.hits = before.hits
      kept.hitMs = before.hitMs
    }
    this.#store.set(kept)
    this.#figures.of(query).tell(this.#store)
    return kept
  }

  #holdingOf(message: DnsMessage, query: DnsQuery): Holding | undefined {
    const kind = kindOf(message, query.qtype)
    if (kind === undefined) return undefined
    const { success, denial, servfailMs, keepsTtl } = this.#options
    // Somebody behind has a reason to give what is out of date: that reason may end soon.
    const least = isStale(message) ? 0 : leastTtl(message)
    if (kind === 'error')
      return { kind, ttl: servfailMs / 1000, ttlMin: 0, ttlMax: servfailMs / 1000, keepsTtl }
    const { ttlMin, ttlMax } = kind === 'success' ? success : denial
    return { kind, ttl: Math.min(Math.max(least, ttlMin), ttlMax), ttlMin, ttlMax, keepsTtl }
  }

  #isExcepted(name: DnsName, { kind }: Holding): boolean {
    return isWithinOne(name, kind === 'success' ? this.#options.notSuccess : this.#options.notDenial)
  }

  #mayServeStale({ holding }: KeptAnswer, ttl: number): boolean {
    return holding.kind !== 'error' && -ttl * 1000 < this.#options.staleMs
  }

  #stale(
    query: DnsQuery,
    next: DnsNext,
    kept: KeptAnswer,
    counts: CacheCounts,
    nowMs: number,
  ): DnsOutcome | Promise<DnsOutcome> {
    if (nowMs >= kept.retryMs) {
      if (this.#options.isStaleVerified) return this.#verified(query, next, kept, counts)
      this.#refresh(query, next, kept, counts)
    }
    return staleAnswerOf(kept, query, counts, nowMs)
  }

  /** The newer answer where there is one, else the one that is out of date (RFC 8767 §4: NOERROR and NXDOMAIN are answers). */
  async #verified(
    query: DnsQuery,
    next: DnsNext,
    kept: KeptAnswer,
    counts: CacheCounts,
  ): Promise<DnsOutcome> {
    const outcome = await this.#miss(query, next, kept.variant)
    const isAnswer =
      outcome instanceof DnsMessage && (outcome.rcode === RCODE.NOERROR || outcome.rcode === RCODE.NXDOMAIN)
    return isAnswer ? outcome : staleAnswerOf(kept, query, counts, this.#steadyNow())
  }

  #prefetch(
    query: DnsQuery,
    next: DnsNext,
    kept: KeptAnswer,
    ttl: number,
    counts: CacheCounts,
    nowMs: number,
  ): void {
    const { prefetchHits, prefetchPauseMs, prefetchPercent } = this.#options
    kept.hits = nowMs - kept.hitMs > prefetchPauseMs ? 1 : kept.hits + 1
    kept.hitMs = nowMs
    if (kept.hits < prefetchHits || ttl > Math.ceil((prefetchPercent / 100) * kept.holding.ttl)) return
    this.#refresh(query, next, kept, counts)
  }

  /** Aside: the query is answered already when this ends. */
  #refresh(query: DnsQuery, next: DnsNext, kept: KeptAnswer, counts: CacheCounts): void {
    const nowMs = this.#steadyNow()
    if (nowMs < kept.retryMs || this.#flights.has(kept.name + kept.variant)) return
    kept.retryMs = nowMs + RETRY_MS
    counts.prefetches.add(1)
    void this.#fetch(query.detached(), next, kept.variant)
  }
}

/** Only questions of class IN for records: no transfers, no updates. */
const isKeepable = ({ opcode, qclass, qtype }: DnsQuery): boolean =>
  opcode === OPCODE.QUERY && qclass === CLASS.IN && qtype !== TYPE.AXFR && qtype !== TYPE.IXFR

/** What else an answer depends on: RD, as without it a referral comes; and whether the client's part of the network was told. */
function variantOf(query: DnsQuery): number {
  const flags =
    (query.do() ? 1 : 0) |
    (query.isCheckingDisabled ? 2 : 0) |
    (query.isRecursionDesired ? 4 : 0) |
    (hasClientSubnet(query) ? 8 : 0)
  return (query.qtype << 4) | flags
}

function hasClientSubnet({ edns }: DnsQuery): boolean {
  if (edns === undefined) return false
  const { options } = edns
  for (let index = 0; index < options.length; index++)
    if (options[index]!.code === OPTION.CLIENT_SUBNET) return true
  return false
}

function isWithinOne(name: DnsName, zones: readonly DnsName[]): boolean {
  for (let index = 0; index < zones.length; index++) {
    const zone = zones[index]!
    if (zone.key.length === 1 || name.isWithin(zone)) return true
  }
  return false
}

function answerOf(kept: KeptAnswer, query: DnsQuery, nowMs: number): DnsOutcome {
  if (kept.holding.kind === 'error')
    query.explain('cached error', `cache: it failed ${secondsSince(kept.storedMs, nowMs)} s ago`)
  if (kept.failed === undefined) return kept.answerTo(query, nowMs)
  for (const { error, text } of kept.failed.why) query.explain(error, text)
  return kept.failed.outcome
}

function staleAnswerOf(kept: KeptAnswer, query: DnsQuery, counts: CacheCounts, nowMs: number): DnsOutcome {
  counts.servedStale.add(1)
  query.explain(
    kept.message.rcode === RCODE.NXDOMAIN ? 'stale NXDOMAIN answer' : 'stale answer',
    `cache: out of date for ${-kept.ttl(nowMs)} s`,
  )
  return kept.answerTo(query, nowMs)
}

const secondsSince = (sinceMs: number, nowMs: number): number => Math.floor((nowMs - sinceMs) / 1000)
