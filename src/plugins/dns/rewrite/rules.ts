/** Rules of `rewrite`: each looks at a question, and says what is to be asked instead, and what to change of the answer. */
import type { DnsQuery } from '../../../contract/dns.ts'
import { nameRdata, targetOf } from '../../../wire/dns/common-rdata.ts'
import type { DnsMessage } from '../../../wire/dns/message.ts'
import { DnsName, DnsNameError } from '../../../wire/dns/name.ts'
import { DnsRecord } from '../../../wire/dns/record.ts'
import { TYPE } from '../../../wire/dns/codes.ts'
import type { NameMatch } from './name-match.ts'

/** What is done to an answer on its way back, which may be changed: it is a copy. */
export type AnswerRewrite = (answer: DnsMessage) => void

export interface Rewritten {
  /** What the rest of the chain is asked. */
  readonly query: DnsQuery
  readonly answers: readonly AnswerRewrite[]
}

export interface RewriteRule {
  /** Where it was applied, no other rule is. */
  readonly isLast: boolean
  /** Undefined: it does not mean this question. Throws a `RewriteFailed`. */
  apply(query: DnsQuery): Rewritten | undefined
}

/** What a rule made of a name is none. */
export class RewriteFailed extends Error {}

export function nameOf(text: string): DnsName {
  try {
    return DnsName.parse(text)
  } catch (error) {
    if (error instanceof DnsNameError) throw new RewriteFailed(`invalid name after rewrite: ${error.message}`)
    throw error
  }
}

/** `type` and `class`: one number for another. */
export class NumberRule implements RewriteRule {
  readonly isLast: boolean
  readonly #field: 'type' | 'class'
  readonly #from: number
  readonly #to: number

  constructor(isLast: boolean, field: 'type' | 'class', from: number, to: number) {
    this.isLast = isLast
    this.#field = field
    this.#from = from
    this.#to = to
  }

  apply(query: DnsQuery): Rewritten | undefined {
    const has = this.#field === 'type' ? query.qtype : query.qclass
    if (has !== this.#from) return undefined
    return { query: query.with({ [this.#field]: this.#to }), answers: [] }
  }
}

export class NameRule implements RewriteRule {
  readonly isLast: boolean
  readonly #match: NameMatch
  readonly #to: string
  readonly #isAuto: boolean
  readonly #answers: readonly AnswerRewrite[]

  /** `isAuto`: in answers, the new name is the one that was asked for again. */
  constructor(
    isLast: boolean,
    match: NameMatch,
    to: string,
    isAuto: boolean,
    answers: readonly AnswerRewrite[],
  ) {
    this.isLast = isLast
    this.#match = match
    this.#to = to
    this.#isAuto = isAuto
    this.#answers = answers
  }

  apply(query: DnsQuery): Rewritten | undefined {
    const text = this.#match.replaced(query.name(), this.#to)
    if (text === undefined) return undefined
    const name = nameOf(text)
    if (!this.#isAuto) return { query: query.with({ name }), answers: this.#answers }
    const back = (one: DnsName): DnsName => (one.equals(name) ? query.qname : one)
    return { query: query.with({ name }), answers: [(answer) => renameAll(answer, back), ...this.#answers] }
  }
}

/** `answer name`: owners; `answer value`: names inside of data. */
export function answerRewrite(field: 'name' | 'value', match: NameMatch, to: string): AnswerRewrite {
  const renamed = (name: DnsName): DnsName => {
    const text = match.replaced(new DnsName(name.key, name.key).toString(), to)
    return text === undefined ? name : nameOf(text)
  }
  return (answer) => {
    if (field === 'name') mapRecords(answer, (record) => withOwner(record, renamed(record.name)))
    else mapRecords(answer, (record) => withTarget(record, renamed))
  }
}

function renameAll(answer: DnsMessage, rename: (name: DnsName) => DnsName): void {
  mapRecords(answer, (record) => withTarget(withOwner(record, rename(record.name)), rename))
}

function mapRecords(answer: DnsMessage, map: (record: DnsRecord) => DnsRecord): void {
  answer.answer = answer.answer.map(map)
  answer.authority = answer.authority.map(map)
  answer.additional = answer.additional.map(map)
}

const withOwner = (record: DnsRecord, name: DnsName): DnsRecord =>
  name === record.name ? record : record.withName(name)

/** The name that a record points at, in the place where its type has it: at the end of its data. */
function withTarget(record: DnsRecord, rename: (name: DnsName) => DnsName): DnsRecord {
  if (record.type === TYPE.SOA) return record
  const target = targetOf(record)
  const renamed = target && rename(target)
  if (!target || renamed === target) return record
  const front = record.rdata.subarray(0, record.rdata.length - target.wire.length)
  const rdata = Buffer.concat([front, nameRdata(renamed!)])
  return new DnsRecord(record.name, record.type, record.ttl, rdata, record.class)
}

/** `ttl`: of all records of the answer to a name, not below and not above. */
export class TtlRule implements RewriteRule {
  readonly isLast: boolean
  readonly #match: NameMatch
  readonly #rewrite: AnswerRewrite

  constructor(isLast: boolean, match: NameMatch, leastS: number, mostS: number) {
    this.isLast = isLast
    this.#match = match
    this.#rewrite = (answer) =>
      mapRecords(answer, (record) => record.withTtl(Math.min(Math.max(record.ttl, leastS), mostS)))
  }

  apply(query: DnsQuery): Rewritten | undefined {
    return this.#match.means(query.name()) ? { query, answers: [this.#rewrite] } : undefined
  }
}

/** `rcode`: one code for another, in the answer to a name. */
export class RcodeRule implements RewriteRule {
  readonly isLast: boolean
  readonly from: number
  readonly to: number
  readonly #match: NameMatch

  constructor(isLast: boolean, match: NameMatch, from: number, to: number) {
    this.isLast = isLast
    this.#match = match
    this.from = from
    this.to = to
  }

  apply(query: DnsQuery): Rewritten | undefined {
    if (!this.#match.means(query.name())) return undefined
    const rewrite: AnswerRewrite = (answer) => {
      if (answer.rcode === this.from) answer.rcode = this.to
    }
    return { query, answers: [rewrite] }
  }
}
