/**
 * The `dns` phase of units, for the plugin `unit`: queries become trips, and what comes back an answer, another question, or the chain behind.
 *
 * A trip costs no more than its line of text: the runner takes all that come in one turn to a unit at once, so that a hundred queries cross to the
 * sandbox and back together.
 */
import type { DnsNext, DnsOutcome, DnsQuery, DnsUnits } from '../../contract/dns.ts'
import {
  failurePolicy,
  lastGoodOf,
  PHASE_BITS,
  type FailureReason,
  type UnitVersion,
} from '../../contract/unit.ts'
import type { Trip, TripOutcome, TripStep, UnitRunner } from '../../contract/unit-runner.ts'
import type { DnsChance, DnsMatcher } from '../../unit/dns-matcher.ts'
import { RCODE } from '../../wire/dns/codes.ts'
import { askChain } from './renamed.ts'
import { messageOf, UnitAnswerError, UnitAnswers, type UnitAnswer, type UnitAsk } from './unit-answer.ts'

/** What is live, asked at the start of every query. */
export interface LiveDnsUnits {
  matcher(): DnsMatcher
  readonly lastGood: Readonly<Record<string, UnitVersion>>
}

export interface UnitQueriesOptions {
  readonly live: LiveDnsUnits
  readonly runner: Pick<UnitRunner, 'run' | 'refused'>
  readonly chance: DnsChance
}

/** Queries that wait for units: whoever comes when there are so many is answered with SERVFAIL. */
const WAITING_MAX = 10_000

export class UnitQueries implements DnsUnits {
  readonly #options: UnitQueriesOptions
  readonly #answers = new UnitAnswers()
  /** Trips under way. */
  #waiting = 0

  constructor(options: UnitQueriesOptions) {
    this.#options = options
  }

  get isHooked(): boolean {
    return !this.#options.live.matcher().isEmpty
  }

  run(query: DnsQuery, next: DnsNext, only?: ReadonlySet<string>): DnsOutcome | Promise<DnsOutcome> {
    const { live, chance } = this.#options
    // First: with it everything else becomes what is live now.
    const matcher = live.matcher()
    if (matcher.isEmpty) return next(query)
    const name = withoutDot(query.name())
    const { steps, readsTags } = matcher.choose(name, query.ip(), chance, only)
    if (steps.length === 0) return next(query)
    // What a unit says, or leaves unsaid, may depend on who asks.
    query.isForClientAlone = true
    if (this.#waiting >= WAITING_MAX) {
      query.answeredBy = `unit/${steps[0]!.unit.name}`
      query.explain('other', 'too many queries wait for units')
      return RCODE.SERVFAIL
    }
    this.#waiting += 1
    return new Promise((resolve) => {
      const meta = readsTags && query.metadata.size > 0 ? tagsOf(query) : ''
      this.#options.runner.run(new QueryTrip(this, query, next, steps, meta, lineOf(query, name), resolve))
    })
  }

  /** A trip has come to its end. */
  settled(trip: QueryTrip, outcome: TripOutcome): void {
    if (outcome.kind === 'failed') this.#failed(trip, outcome.step, outcome.reason)
    else if (outcome.kind === 'next') this.#end(trip, () => trip.next(trip.query))
    else this.#answered(trip, outcome.step, outcome.body)
  }

  #answered(trip: QueryTrip, step: number, body: string | Uint8Array): void {
    const { unit } = trip.steps[step]!
    let parsed: UnitAnswer | UnitAsk
    try {
      parsed = this.#answers.parse(String(body))
    } catch (error) {
      if (!(error instanceof UnitAnswerError)) throw error
      this.#options.runner.refused(unit, 'dns', 'throw', error.message)
      this.#failed(trip, step, 'throw')
      return
    }
    const { query, next } = trip
    this.#end(trip, () => {
      if (parsed.kind === 'ask') return askChain(query, parsed, next)
      query.answeredBy = `unit/${unit.name}`
      return messageOf(query, parsed)
    })
  }

  #failed(trip: QueryTrip, step: number, reason: FailureReason): void {
    const { unit } = trip.steps[step]!
    const rest = trip.steps.slice(step + 1)
    const policy = failurePolicy(unit.manifest, 'dns')
    const before = policy === 'lastGood' ? lastGoodOf(this.#options.live.lastGood, unit) : undefined
    if (before !== undefined && before.version !== unit.version)
      this.#again(trip, [{ unit: before, phases: PHASE_BITS.dns }, ...rest])
    else if (policy === 'open') this.#again(trip, rest)
    else {
      const { query } = trip
      this.#end(trip, () => {
        query.answeredBy = `unit/${unit.name}`
        query.explain('other', `unit/${unit.name}: ${reason}`)
        return RCODE.SERVFAIL
      })
    }
  }

  /** Goes on with what is left of the trip. */
  #again({ query, next, meta, head, resolve }: QueryTrip, steps: readonly TripStep[]): void {
    const trip = new QueryTrip(this, query, next, steps, meta, head, resolve)
    if (steps.length === 0) this.#end(trip, () => next(query))
    else this.#options.runner.run(trip)
  }

  /** Hands the outcome on. What is thrown behind rejects, and meets the guard of the chain. */
  #end(trip: QueryTrip, outcome: () => DnsOutcome | Promise<DnsOutcome>): void {
    this.#waiting -= 1
    try {
      trip.resolve(outcome())
    } catch (error) {
      trip.resolve(Promise.reject(error as Error))
    }
  }
}

class QueryTrip implements Trip {
  readonly #queries: UnitQueries
  readonly query: DnsQuery
  readonly next: DnsNext
  readonly steps: readonly TripStep[]
  readonly meta: string
  readonly head: string
  readonly response = ''
  readonly edits = ''
  readonly body = ''
  readonly resolve: (outcome: DnsOutcome | Promise<DnsOutcome>) => void

  constructor(
    queries: UnitQueries,
    query: DnsQuery,
    next: DnsNext,
    steps: readonly TripStep[],
    meta: string,
    head: string,
    resolve: QueryTrip['resolve'],
  ) {
    this.#queries = queries
    this.query = query
    this.next = next
    this.steps = steps
    this.meta = meta
    this.head = head
    this.resolve = resolve
  }

  done(outcome: TripOutcome): void {
    this.#queries.settled(this, outcome)
  }
}

/** The query as one line: see `sandbox/protocol.ts`. */
const lineOf = (query: DnsQuery, name: string): string =>
  `${query.type()} ${query.class()} ${query.ip()} ${query.port()} ${query.proto()} ${query.transport} ${query.do() ? 1 : 0} ${withoutDot(query.zone.toString())} ${name}`

const withoutDot = (name: string): string => (name.length > 1 ? name.slice(0, -1) : name)

/** Values of metadata are worked out when they are asked for: here, since a unit may ask. */
function tagsOf(query: DnsQuery): string {
  const tags: Record<string, string> = {}
  for (const [label, value] of query.metadata) tags[label] = value()
  // Heads and what goes with them are Latin-1.
  return JSON.stringify({ tags }).replaceAll(
    /[^\x20-\x7e]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
