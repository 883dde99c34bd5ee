/**
 * For authors of plugins of the DNS plane: `import { record, type DnsPlugin } from 'orla/dns'`.
 *
 * A plugin is a module whose default export is a `DnsPlugin`: a name, and a `setup` that reads its lines in a server block and returns the handler that
 * stands in the chain. A Corefile names it with `plugin NAME FILE`; nothing is built. See `docs/guides/dns-plugins.md`.
 */
import { CLASS, EXTENDED_ERROR, OPCODE, OPTION, parseType, RCODE, TYPE } from './wire/dns/codes.ts'
import { DnsName } from './wire/dns/name.ts'
import { parseRdata } from './wire/dns/rdata-text.ts'
import { DnsRecord } from './wire/dns/record.ts'

export type {
  CorefileLine,
  CorefileWord,
  DnsController,
  DnsCount,
  DnsCounter,
  DnsGauge,
  DnsHandler,
  DnsHistogram,
  DnsHost,
  DnsListener,
  DnsLog,
  DnsMetrics,
  DnsNext,
  DnsOutcome,
  DnsPlugin,
  DnsQuery,
  DnsSettings,
} from './contract/dns.ts'
export { DnsStream, DROPPED, NOTHING_WRITTEN } from './contract/dns.ts'
export type { ExtendedError } from './wire/dns/codes.ts'
export { CLASS, EXTENDED_ERROR, OPCODE, OPTION, RCODE, TYPE }
export { rcodeName, typeName } from './wire/dns/codes.ts'
export type { Edns } from './wire/dns/edns.ts'
export { DnsMessage } from './wire/dns/message.ts'
export { DnsName, DnsNameError } from './wire/dns/name.ts'
export { rdataText, recordText } from './wire/dns/rdata-text.ts'
export { DnsRecord }

/** Nothing was written: the server answers with that code alone, unless a plugin in front does better. */
export const { FORMERR, SERVFAIL, NOTIMP, REFUSED } = RCODE

/**
 * A record of class IN, its data as a master file has it: `record(query.qname, 'MX', 300, '10 mail.example.org.')`. `ttl` are seconds. Throws where the
 * name, the type or the data is none. What is always the same is best made once, in `setup`.
 */
export function record(owner: DnsName | string, type: string, ttl: number, data: string): DnsRecord {
  const number = parseType(type)
  if (number === undefined)
    throw new TypeError(`${type} is no type of a record: expected one such as A, or TYPE65280`)
  if (!Number.isInteger(ttl) || ttl < 0 || ttl > 0x7fff_ffff)
    throw new RangeError(`${ttl} is no time to live: expected whole seconds from 0 to 2147483647`)
  return new DnsRecord(
    typeof owner === 'string' ? DnsName.parse(owner) : owner,
    number,
    ttl,
    parseRdata(number, data),
  )
}
