/** Sets and clears flags: of the question before the rest of the chain sees it, and of the answer on its way back. */
import type { DnsHandler, DnsNext, DnsOutcome, DnsQuery } from '../../../contract/dns.ts'
import type { DnsMessage } from '../../../wire/dns/message.ts'
import { type AnswerChange, changed } from '../answer-change.ts'

const FLAGS = { aa: 'isAuthoritative', ra: 'isRecursionAvailable', rd: 'isRecursionDesired' } as const
export type Flag = keyof typeof FLAGS

export const isFlag = (text: string): text is Flag => Object.hasOwn(FLAGS, text)

export interface FlagChange {
  readonly flag: Flag
  readonly value: boolean
}

export class HeaderHandler implements DnsHandler, AnswerChange {
  readonly #query: readonly FlagChange[]
  readonly #response: readonly FlagChange[]

  /** In the order in which they are applied: the last one holds. */
  constructor(query: readonly FlagChange[], response: readonly FlagChange[]) {
    this.#query = query
    this.#response = response
  }

  handle(query: DnsQuery, next: DnsNext): DnsOutcome | Promise<DnsOutcome> {
    let asked = query
    if (this.#query.length > 0 && !this.#hasAll(query.message, this.#query))
      asked = query.with({ message: this.#applied(query.message, this.#query) })
    const outcome = next(asked)
    return this.#response.length === 0 ? outcome : changed(this, outcome, query)
  }

  change(answer: DnsMessage): DnsMessage {
    return this.#hasAll(answer, this.#response) ? answer : this.#applied(answer, this.#response)
  }

  #hasAll(message: DnsMessage, changes: readonly FlagChange[]): boolean {
    for (const { flag, value } of changes) if (message[FLAGS[flag]] !== value) return false
    return true
  }

  #applied(message: DnsMessage, changes: readonly FlagChange[]): DnsMessage {
    const copy = message.copy()
    for (const { flag, value } of changes) copy[FLAGS[flag]] = value
    return copy
  }
}
