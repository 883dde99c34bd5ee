/** The end of a chain under test: a plugin that answers as the test says. */
import type { DnsOutcome, DnsPlugin, DnsQuery } from '../../../contract/dns.ts'
import type { DnsMessage } from '../../../wire/dns/message.ts'
import { parseType } from '../../../wire/dns/codes.ts'
import { DnsName } from '../../../wire/dns/name.ts'
import { parseRdata, recordText } from '../../../wire/dns/rdata-text.ts'
import { DnsRecord } from '../../../wire/dns/record.ts'

/** Named `answers` in the Corefile of the test. */
export const answering = (answer: (query: DnsQuery) => DnsOutcome | Promise<DnsOutcome>): DnsPlugin => ({
  name: 'answers',
  setup: () => ({ handle: (query) => answer(query) }),
})

/** `www.example.org. 5 IN A 192.0.2.1` as a record; fields are parted by single spaces. */
export function recordOf(text: string): DnsRecord {
  const [name, ttl, , type, ...words] = text.split(' ')
  const number = parseType(type!)!
  const rdata = parseRdata(number, words.join(' '))
  return new DnsRecord(DnsName.parse(name!), number, Number(ttl), rdata)
}

/** Records of a section as text, parted by single spaces. */
export const textsOf = (records: readonly DnsRecord[]): string[] =>
  records.map((record) => recordText(record).replaceAll(/\s+/g, ' '))

/** An answer to the query with these records in its answer section. */
export function withRecords(query: DnsQuery, ...records: readonly string[]): DnsMessage {
  const answer = query.reply()
  answer.answer.push(...records.map(recordOf))
  return answer
}
