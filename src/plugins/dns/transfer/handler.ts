/** Gives zones whole to those who may have them (RFC 5936, RFC 1995). */
import { setImmediate } from 'node:timers/promises'
import {
  type DnsHandler,
  type DnsLog,
  type DnsNext,
  type DnsOutcome,
  type DnsQuery,
  DnsStream,
  type DnsZoneSource,
} from '../../../contract/dns.ts'
import { RCODE, TYPE } from '../../../wire/dns/codes.ts'
import type { DnsMessage } from '../../../wire/dns/message.ts'
import type { DnsRecord } from '../../../wire/dns/record.ts'
import { soaTimes } from '../../../zone/soa.ts'
import { isAllowed, type Recipients, recipientsOf } from './recipients.ts'

/** A message is sent once its records would have so many bytes without compression: pointers reach this far (RFC 1035 §4.1.4). */
const MESSAGE_BYTES = 16_384
/** Of a record, besides its name and its data. */
const RECORD_BYTES = 10
/** Each holds a zone as it was when it began. */
const TRANSFERS_MAX = 32

export class TransferHandler implements DnsHandler {
  readonly #all: readonly Recipients[]
  readonly #log: DnsLog
  #running = 0
  /** Those that have zones, once all plugins of the block are set up. */
  sources: readonly DnsZoneSource[] = []

  constructor(all: readonly Recipients[], log: DnsLog) {
    this.#all = all
    this.#log = log
  }

  handle(query: DnsQuery, next: DnsNext): DnsOutcome | Promise<DnsOutcome> {
    const { qname, qtype } = query
    if (qtype !== TYPE.AXFR && qtype !== TYPE.IXFR) return next(query)
    const recipients = recipientsOf(this.#all, qname)
    if (!recipients) return next(query)
    if (!isAllowed(recipients, query.ip())) {
      this.#log.info(`${query.name()} is not given to ${query.ip()}: transfer has no line that names it`)
      query.explain('prohibited', 'transfers are not allowed from there')
      return RCODE.REFUSED
    }
    const isUdp = query.proto() === 'udp'
    if (isUdp && qtype === TYPE.AXFR) return RCODE.REFUSED
    let since: number | undefined
    if (qtype === TYPE.IXFR) {
      since = knownSerial(query.message)
      if (since === undefined) return RCODE.FORMERR
    }
    for (const source of this.sources) {
      const records = source.records(qname, since)
      if (records) return this.#answer(query, records[Symbol.iterator](), isUdp)
    }
    return next(query)
  }

  #answer(query: DnsQuery, records: Iterator<DnsRecord>, isUdp: boolean): DnsOutcome {
    const soa = records.next().value as DnsRecord
    const second = isUdp ? undefined : records.next()
    // Nothing is newer; over UDP, what is newer is to be had over TCP (RFC 1995 §2).
    if (!second || second.done === true) {
      records.return?.()
      const reply = query.reply()
      reply.isAuthoritative = true
      reply.answer.push(soa)
      return reply
    }
    if (this.#running >= TRANSFERS_MAX) {
      query.explain('other', 'too many transfers at once')
      return RCODE.SERVFAIL
    }
    return new DnsStream(this.#messages(query, soa, second.value, records))
  }

  async *#messages(
    query: DnsQuery,
    soa: DnsRecord,
    second: DnsRecord,
    records: Iterator<DnsRecord>,
  ): AsyncGenerator<DnsMessage, void, undefined> {
    this.#running += 1
    const who = `${query.name()} ${query.type()} to ${query.ip()}`
    let count = 0
    let isWhole = false
    try {
      let message = messageFor(query, 0)
      let bytes = sizeOf(soa)
      message.answer.push(soa)
      let record: DnsRecord | undefined = second
      for (;;) {
        const sent: DnsRecord = record ?? soa
        const size = sizeOf(sent)
        if (message.answer.length > 0 && bytes + size > MESSAGE_BYTES) {
          yield message
          count += message.answer.length
          // Others have their turn, however fast the connection takes it.
          await setImmediate()
          message = messageFor(query, count)
          bytes = 0
        }
        message.answer.push(sent)
        bytes += size
        if (record === undefined) break
        const following: IteratorResult<DnsRecord> = records.next()
        record = following.done === true ? undefined : following.value
      }
      yield message
      count += message.answer.length
      isWhole = true
    } finally {
      this.#running -= 1
      records.return?.()
      if (isWhole) this.#log.info(`${who}: ${count} records, serial ${soaTimes(soa.rdata)?.serial}`)
      else this.#log.warn(`${who}: it went away after ${count} records`)
    }
  }
}

const sizeOf = ({ name, rdata }: DnsRecord): number => name.wire.length + RECORD_BYTES + rdata.length

/** Only the first one repeats the question (RFC 5936 §2.2.1). */
function messageFor(query: DnsQuery, sent: number): DnsMessage {
  const message = query.reply()
  message.isAuthoritative = true
  if (sent > 0) message.question = []
  return message
}

/** RFC 1995 §3: the SOA that the client has stands in the authority section. */
function knownSerial({ authority }: DnsMessage): number | undefined {
  const [soa, more] = authority
  return soa?.type === TYPE.SOA && more === undefined ? soaTimes(soa.rdata)?.serial : undefined
}
