/** Changes the order of addresses in answers, on a copy: aliases come first, as resolvers of clients want them. */
import type { CidrSet } from '../../../base/cidr.ts'
import { parseIp } from '../../../base/ip-address.ts'
import type { DnsHandler, DnsNext, DnsOutcome, DnsQuery } from '../../../contract/dns.ts'
import { RCODE, TYPE } from '../../../wire/dns/codes.ts'
import { addressText } from '../../../wire/dns/common-rdata.ts'
import type { DnsMessage } from '../../../wire/dns/message.ts'
import type { DnsRecord } from '../../../wire/dns/record.ts'
import { type AnswerChange, changed } from '../answer-change.ts'
import type { Weights } from './weights.ts'

export interface LoadbalanceOptions {
  /** From 0 to 1. */
  readonly random: () => number
  readonly answersMax: number | undefined
  /** Addresses within come first. */
  readonly preferred: CidrSet | undefined
  readonly isWeighted: boolean
}

const isAddress = ({ type }: DnsRecord): boolean => type === TYPE.A || type === TYPE.AAAA

export class LoadbalanceHandler implements DnsHandler, AnswerChange {
  weights: Weights = new Map()
  readonly #options: LoadbalanceOptions

  constructor(options: LoadbalanceOptions) {
    this.#options = options
  }

  handle(query: DnsQuery, next: DnsNext): DnsOutcome | Promise<DnsOutcome> {
    if (query.qtype === TYPE.AXFR || query.qtype === TYPE.IXFR) return next(query)
    return changed(this, next(query), query)
  }

  change(answer: DnsMessage, query: DnsQuery): DnsMessage {
    if (answer.rcode !== RCODE.NOERROR) return answer
    const { isWeighted, answersMax, preferred } = this.#options
    const hasFew =
      answer.answer.length < 2 && (isWeighted || answer.additional.length + answer.authority.length < 2)
    if (hasFew) return answer
    const ordered = answer.copy()
    if (isWeighted) ordered.answer = this.#weighted(ordered.answer, query)
    else {
      ordered.answer = this.#shuffled(ordered.answer)
      ordered.authority = this.#shuffled(ordered.authority)
      ordered.additional = this.#shuffled(ordered.additional)
    }
    if (preferred) ordered.answer = preferredFirst(ordered.answer, preferred)
    if (answersMax !== undefined) ordered.answer = ordered.answer.slice(0, answersMax)
    return ordered
  }

  /** Aliases, then all else, then addresses and mail exchangers, these in any order. */
  #shuffled(records: readonly DnsRecord[]): DnsRecord[] {
    if (records.length < 2) return [...records]
    const aliases: DnsRecord[] = []
    const rest: DnsRecord[] = []
    const addresses: DnsRecord[] = []
    const exchangers: DnsRecord[] = []
    for (const record of records) {
      if (record.type === TYPE.CNAME) aliases.push(record)
      else if (isAddress(record)) addresses.push(record)
      else if (record.type === TYPE.MX) exchangers.push(record)
      else rest.push(record)
    }
    return [...aliases, ...rest, ...this.#mixed(addresses), ...this.#mixed(exchangers)]
  }

  #mixed(records: DnsRecord[]): DnsRecord[] {
    for (let left = records.length - 1; left > 0; left--) {
      const other = Math.floor(this.#options.random() * (left + 1))
      const record = records[left]!
      records[left] = records[other]!
      records[other] = record
    }
    return records
  }

  /** One of the addresses comes first, as often as its weight has it; without one it weighs 1. */
  #weighted(records: readonly DnsRecord[], { qname }: DnsQuery): DnsRecord[] {
    const addresses = records.filter(isAddress)
    const others = records.filter((record) => !isAddress(record))
    const weights = this.weights.get((addresses[0]?.name ?? qname).key) ?? this.weights.get(qname.key)
    if (!weights || addresses.length < 2) return [...records]
    const each = addresses.map(({ rdata }) => weights.get(rdata.toString('latin1')) ?? 1)
    let left = this.#options.random() * each.reduce((sum, weight) => sum + weight, 0)
    const first = Math.max(
      0,
      each.findIndex((weight) => (left -= weight) < 0),
    )
    return [...others, addresses[first]!, ...addresses.toSpliced(first, 1)]
  }
}

function preferredFirst(records: readonly DnsRecord[], preferred: CidrSet): DnsRecord[] {
  const isPreferred = (record: DnsRecord): boolean => {
    if (!isAddress(record)) return false
    const ip = parseIp(addressText(record.rdata) ?? '')
    return ip !== undefined && preferred.has(ip)
  }
  const others = records.filter((record) => !isAddress(record))
  const addresses = records.filter(isAddress)
  const near = addresses.filter(isPreferred)
  return [...others, ...near, ...addresses.filter((record) => !near.includes(record))]
}
