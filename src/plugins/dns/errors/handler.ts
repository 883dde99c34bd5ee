/** Logs why queries failed: each one, or how many of a kind there were within a time. */
import type { GoRegex } from '../../../base/go-regex.ts'
import type { Timers } from '../../../base/timers.ts'
import type { DnsHandler, DnsLog, DnsNext, DnsOutcome, DnsQuery } from '../../../contract/dns.ts'
import { RCODE } from '../../../wire/dns/codes.ts'

/** Words of a Corefile, and the methods of a log. */
export const LEVELS = { warning: 'warn', error: 'error', info: 'info', debug: 'debug' } as const
export type Level = keyof typeof LEVELS

export interface ConsolidationOptions {
  readonly everyMs: number
  /** As it was written. */
  readonly period: string
  readonly pattern: GoRegex
  readonly level: Level
  /** The first one is logged as it is. */
  readonly showsFirst: boolean
}

/** Errors of one kind, told as a number once the time since the first one is over. */
export class Consolidation {
  readonly options: ConsolidationOptions
  readonly #log: DnsLog
  readonly #timers: Timers
  #count = 0
  #callOff: (() => void) | undefined

  constructor(options: ConsolidationOptions, log: DnsLog, timers: Timers) {
    this.options = options
    this.#log = log
    this.#timers = timers
  }

  /** False where the error is of another kind. */
  takes(text: string): boolean {
    const { pattern, everyMs, showsFirst } = this.options
    if (!pattern.test(text)) return false
    this.#count += 1
    if (this.#count > 1) return true
    if (showsFirst) this.#say(text)
    this.#callOff = this.#timers.later(everyMs, () => this.flush())
    return true
  }

  flush(): void {
    if (this.#count === 0) return
    this.#callOff?.()
    const { pattern, period, showsFirst } = this.options
    const count = this.#count
    this.#count = 0
    if (showsFirst && count === 1) return
    this.#say(`${count} errors like '${pattern.source}' occurred in last ${period}`)
  }

  #say(text: string): void {
    this.#log[LEVELS[this.options.level]](text)
  }
}

export class ErrorsHandler implements DnsHandler {
  readonly #consolidations: readonly Consolidation[]
  readonly #log: DnsLog

  constructor(consolidations: readonly Consolidation[], log: DnsLog) {
    this.#consolidations = consolidations
    this.#log = log
  }

  handle(query: DnsQuery, next: DnsNext): DnsOutcome | Promise<DnsOutcome> {
    const outcome = next(query)
    if (typeof outcome === 'number') this.#note(query, outcome)
    if (!(outcome instanceof Promise)) return outcome
    return outcome.then((late) => {
      if (typeof late === 'number') this.#note(query, late)
      return late
    })
  }

  #note(query: DnsQuery, rcode: number): void {
    if (rcode !== RCODE.SERVFAIL) return
    const why = query.explanations.map(({ text }) => text).join('; ')
    const text = `${rcode} ${query.name()} ${query.type()}: ${why || `${query.answeredBy || 'nobody'} gave no reason`}`
    for (const consolidation of this.#consolidations) if (consolidation.takes(text)) return
    this.#log.error(text)
  }
}
