/** Writes a line for each query that a rule is about, once it is answered. */
import {
  DROPPED,
  type DnsHandler,
  type DnsNext,
  type DnsOutcome,
  type DnsQuery,
  DnsStream,
} from '../../../contract/dns.ts'
import { RCODE, TYPE } from '../../../wire/dns/codes.ts'
import { DnsMessage } from '../../../wire/dns/message.ts'
import type { DnsName } from '../../../wire/dns/name.ts'
import type { LogFormat } from './format.ts'
import type { LineBatch } from './line-batch.ts'

const CLASSES = ['success', 'denial', 'error', 'all'] as const
/** `denial`: there is no such name, or nothing of the type. `error`: any other rcode but NOERROR. */
export type AnswerClass = (typeof CLASSES)[number]
export const isAnswerClass = (text: string): text is AnswerClass =>
  (CLASSES as readonly string[]).includes(text)

export interface LogRule {
  readonly zones: readonly DnsName[]
  readonly format: LogFormat
  readonly classes: ReadonlySet<AnswerClass>
  /** Answers that take this long are logged whatever their class. */
  readonly minDurationMs: number | undefined
}

export class LogHandler implements DnsHandler {
  readonly #rules: readonly LogRule[]
  readonly #lines: LineBatch
  readonly #now: () => number

  constructor(rules: readonly LogRule[], lines: LineBatch, steadyNow: () => number) {
    this.#rules = rules
    this.#lines = lines
    this.#now = steadyNow
  }

  handle(query: DnsQuery, next: DnsNext): DnsOutcome | Promise<DnsOutcome> {
    const rule = this.#rules.find(({ zones }) => zones.some((zone) => query.qname.isWithin(zone)))
    const outcome = next(query)
    if (!rule) return outcome
    if (!(outcome instanceof Promise)) {
      this.#log(rule, query, outcome)
      return outcome
    }
    return outcome.then((late) => {
      this.#log(rule, query, late)
      return late
    })
  }

  #log(rule: LogRule, query: DnsQuery, outcome: DnsOutcome): void {
    const durationMs = this.#now() - query.startedMs
    const answer = answerOf(query, outcome)
    const isSlow = rule.minDurationMs !== undefined && durationMs >= rule.minDurationMs
    if (!isSlow && !rule.classes.has('all') && !rule.classes.has(answer ? classOf(answer) : 'error')) return
    this.#lines.add(rule.format.line({ query, answer, durationMs }))
  }
}

/** What the client will see: where nothing was written, the server answers with the code alone. */
function answerOf(query: DnsQuery, outcome: DnsOutcome): DnsMessage | undefined {
  if (outcome instanceof DnsMessage) return outcome
  if (outcome instanceof DnsStream) return query.reply()
  return outcome === DROPPED ? undefined : query.reply(outcome)
}

function classOf({ rcode, answer, authority }: DnsMessage): AnswerClass {
  if (rcode === RCODE.NXDOMAIN) return 'denial'
  if (rcode !== RCODE.NOERROR) return 'error'
  return answer.length === 0 && authority.some(({ type }) => type === TYPE.SOA) ? 'denial' : 'success'
}
