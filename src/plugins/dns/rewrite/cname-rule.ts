/** `cname`: answers that lead to one name lead to another, and what that one has is looked up. */
import type { DnsController, DnsQuery } from '../../../contract/dns.ts'
import { nameRdata, targetOf } from '../../../wire/dns/common-rdata.ts'
import { TYPE } from '../../../wire/dns/codes.ts'
import type { DnsMessage } from '../../../wire/dns/message.ts'
import { DnsName } from '../../../wire/dns/name.ts'
import { DnsRecord } from '../../../wire/dns/record.ts'
import type { NameMatch } from './name-match.ts'
import { nameOf } from './rules.ts'

export class CnameRule {
  readonly isLast: boolean
  readonly #match: NameMatch
  readonly #to: string
  readonly #lookup: DnsController['lookup']

  constructor(isLast: boolean, match: NameMatch, to: string, lookup: DnsController['lookup']) {
    this.isLast = isLast
    this.#match = match
    this.#to = to
    this.#lookup = lookup
  }

  /** The answer with its first CNAME that is meant turned, and all behind it what the new target has; undefined where none is meant. */
  async turned(answer: DnsMessage, query: DnsQuery): Promise<DnsMessage | undefined> {
    for (const [index, record] of answer.answer.entries()) {
      if (record.type !== TYPE.CNAME) continue
      const { key } = targetOf(record)!
      const text = this.#match.replaced(new DnsName(key, key).toString(), this.#to)
      if (text === undefined) continue
      const target = nameOf(text)
      const turned = answer.copy()
      turned.answer = [
        ...answer.answer.slice(0, index),
        new DnsRecord(record.name, TYPE.CNAME, record.ttl, nameRdata(target), record.class),
      ]
      const found = query.qtype === TYPE.CNAME ? undefined : await this.#lookup(query, target, query.qtype)
      if (found) turned.answer.push(...found.answer)
      turned.additional = []
      return turned
    }
    return undefined
  }
}
