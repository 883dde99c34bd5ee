/** Asks the rest of the chain what rules make of a question, and gives the client an answer to what he asked. */
import type { DnsHandler, DnsLog, DnsNext, DnsOutcome, DnsQuery } from '../../../contract/dns.ts'
import { RCODE } from '../../../wire/dns/codes.ts'
import { DnsMessage } from '../../../wire/dns/message.ts'
import { CnameRule } from './cname-rule.ts'
import { type AnswerRewrite, RcodeRule, RewriteFailed, type RewriteRule } from './rules.ts'

export class RewriteHandler implements DnsHandler {
  readonly #rules: readonly (RewriteRule | CnameRule)[]
  readonly #log: DnsLog

  constructor(rules: readonly (RewriteRule | CnameRule)[], log: DnsLog) {
    this.#rules = rules
    this.#log = log
  }

  handle(query: DnsQuery, next: DnsNext): DnsOutcome | Promise<DnsOutcome> {
    let asked = query
    const answers: AnswerRewrite[] = []
    const cnames: CnameRule[] = []
    const rcodes: RcodeRule[] = []
    try {
      for (const rule of this.#rules) {
        if (rule instanceof CnameRule) {
          cnames.push(rule)
          continue
        }
        const rewritten = rule.apply(asked)
        if (!rewritten) continue
        asked = rewritten.query
        answers.push(...rewritten.answers)
        if (rule instanceof RcodeRule) rcodes.push(rule)
        if (rule.isLast) break
      }
    } catch (error) {
      return this.#failed(query, error)
    }
    if (asked === query && answers.length === 0 && cnames.length === 0) return next(query)
    const back = (outcome: DnsOutcome) => this.#back(outcome, query, asked, answers, rcodes)
    const outcome = next(asked)
    if (cnames.length === 0 && !(outcome instanceof Promise)) return back(outcome)
    return this.#late(outcome, query, cnames, back)
  }

  async #late(
    outcome: DnsOutcome | Promise<DnsOutcome>,
    query: DnsQuery,
    cnames: readonly CnameRule[],
    back: (outcome: DnsOutcome) => DnsOutcome,
  ): Promise<DnsOutcome> {
    let answer = await outcome
    try {
      for (const rule of cnames) {
        const turned = answer instanceof DnsMessage ? await rule.turned(answer, query) : undefined
        if (!turned) continue
        answer = turned
        if (rule.isLast) break
      }
    } catch (error) {
      return this.#failed(query, error)
    }
    return back(answer)
  }

  #back(
    outcome: DnsOutcome,
    query: DnsQuery,
    asked: DnsQuery,
    answers: readonly AnswerRewrite[],
    rcodes: readonly RcodeRule[],
  ): DnsOutcome {
    if (typeof outcome === 'number') return renumbered(outcome, query, rcodes)
    if (!(outcome instanceof DnsMessage)) return outcome
    const answer = outcome.copy()
    if (asked !== query) answer.question = [{ name: query.qname, type: query.qtype, class: query.qclass }]
    try {
      for (const rewrite of answers) rewrite(answer)
    } catch (error) {
      return this.#failed(query, error)
    }
    return answer
  }

  #failed(query: DnsQuery, error: unknown): DnsOutcome {
    if (!(error instanceof RewriteFailed)) throw error
    this.#log.error(`${query.name()} ${query.type()}: ${error.message}`)
    query.explain('other', `rewrite: ${error.message}`)
    return RCODE.SERVFAIL
  }
}

/** A code that means that nothing was written is a message once it is another one. */
function renumbered(outcome: number, query: DnsQuery, rules: readonly RcodeRule[]): DnsOutcome {
  const rule = rules.find(({ from }) => from === outcome)
  return rule ? query.reply(rule.to) : (outcome as DnsOutcome)
}
