/** Answers out of templates: the first whose class, type, zone and expression mean the question. */
import type { GoMatch, GoRegex } from '../../../base/go-regex.ts'
import type {
  DnsController,
  DnsCounter,
  DnsHandler,
  DnsLog,
  DnsNext,
  DnsOutcome,
  DnsQuery,
} from '../../../contract/dns.ts'
import { CLASS, type ExtendedError, RCODE, TYPE } from '../../../wire/dns/codes.ts'
import { targetOf } from '../../../wire/dns/common-rdata.ts'
import type { DnsMessage } from '../../../wire/dns/message.ts'
import { MasterFileError, parseRecord } from '../../../wire/dns/master-file.ts'
import { DnsName } from '../../../wire/dns/name.ts'
import type { DnsRecord } from '../../../wire/dns/record.ts'
import { GoTemplate, GoTemplateError, type TemplateStruct } from './go-template.ts'

export interface AnswerTemplate {
  /** 255 for any. */
  readonly class: number
  readonly type: number
  readonly zones: readonly DnsName[]
  /** The first one that holds counts. */
  readonly regexes: readonly GoRegex[]
  readonly answer: readonly GoTemplate[]
  readonly additional: readonly GoTemplate[]
  readonly authority: readonly GoTemplate[]
  readonly rcode: number
  readonly extendedError: { readonly error: ExtendedError; readonly text: string } | undefined
  /** Zones in which the next template is asked where no expression holds; undefined for none. */
  readonly fallthrough: readonly DnsName[] | undefined
}

type Section = 'answer' | 'additional' | 'authority'

/** A template that went wrong: said in the log, counted, and SERVFAIL. */
class TemplateFailure extends Error {}

export class TemplateHandler implements DnsHandler {
  readonly #templates: readonly AnswerTemplate[]
  readonly #log: DnsLog
  readonly #lookup: DnsController['lookup']
  readonly #matches: DnsCounter
  readonly #templateFailures: DnsCounter
  readonly #recordFailures: DnsCounter

  constructor(templates: readonly AnswerTemplate[], { log, metrics, lookup }: DnsController) {
    this.#templates = templates
    this.#log = log
    this.#lookup = lookup
    this.#matches = metrics.counter('coredns_template_matches_total', 'Counter of template regex matches.', [
      'zone',
      'view',
      'class',
      'type',
    ])
    const labels = ['zone', 'view', 'class', 'type', 'section', 'template']
    this.#templateFailures = metrics.counter(
      'coredns_template_template_failures_total',
      'Counter of go template failures.',
      labels,
    )
    this.#recordFailures = metrics.counter(
      'coredns_template_rr_failures_total',
      'Counter of mis-templated RRs.',
      labels,
    )
  }

  handle(query: DnsQuery, next: DnsNext): DnsOutcome | Promise<DnsOutcome> {
    for (const template of this.#templates) {
      const zone = zoneOf(template, query)
      if (!zone) continue
      const found = matchOf(template, query)
      if (found) return this.#answer(template, query, zone, found)
      if (!template.fallthrough?.some((fall) => query.qname.isWithin(fall))) return RCODE.SERVFAIL
    }
    return next(query)
  }

  #answer(
    template: AnswerTemplate,
    query: DnsQuery,
    zone: DnsName,
    found: Found,
  ): DnsOutcome | Promise<DnsOutcome> {
    this.#matches.add(1, String(zone), query.view, query.class(), query.type())
    const { extendedError, rcode } = template
    if (extendedError) query.explain(extendedError.error, extendedError.text)
    if (
      rcode === RCODE.SERVFAIL ||
      rcode === RCODE.REFUSED ||
      rcode === RCODE.FORMERR ||
      rcode === RCODE.NOTIMP
    )
      return rcode
    const reply = query.reply(rcode)
    reply.isAuthoritative = true
    reply.isRecursionAvailable = true
    const data = dataOf(query, zone, found)
    try {
      for (const section of ['answer', 'additional', 'authority'] as const)
        reply[section] = template[section].map((one) => this.#record(one, section, data, query, zone))
    } catch (error) {
      if (!(error instanceof TemplateFailure)) throw error
      this.#log.error(error.message)
      query.explain('other', `template: ${error.message}`)
      return RCODE.SERVFAIL
    }
    return this.#withTargets(reply, query)
  }

  #record(
    one: GoTemplate,
    section: Section,
    data: TemplateStruct,
    query: DnsQuery,
    zone: DnsName,
  ): DnsRecord {
    const failed = (counter: DnsCounter, reason: string): never => {
      counter.add(1, String(zone), query.view, query.class(), query.type(), section, one.source)
      throw new TemplateFailure(reason)
    }
    let text: string
    try {
      text = one.execute(data)
    } catch (error) {
      if (error instanceof GoTemplateError)
        return failed(this.#templateFailures, `${section}: ${error.message}`)
      throw error
    }
    try {
      return parseRecord(text)
    } catch (error) {
      if (error instanceof MasterFileError)
        return failed(this.#recordFailures, `${section}: "${text}": ${error.message}`)
      throw error
    }
  }

  /** Behind a CNAME, what the chain of the server block has at its target. */
  #withTargets(reply: DnsMessage, query: DnsQuery): DnsMessage | Promise<DnsMessage> {
    const last = reply.answer.findLast(({ type }) => type === TYPE.CNAME)
    const isFollowed = last && query.qtype !== TYPE.CNAME && query.qtype !== TYPE.ANY
    const target = isFollowed ? targetOf(last) : undefined
    if (!target || reply.answer.some(({ name, type }) => name.equals(target) && type === query.qtype))
      return reply
    return this.#lookup(query, target, query.qtype).then((found) => {
      if (found) reply.answer.push(...found.answer)
      return reply
    })
  }
}

function zoneOf({ class: klass, type, zones }: AnswerTemplate, query: DnsQuery): DnsName | undefined {
  if (klass !== CLASS.ANY && query.qclass !== CLASS.ANY && klass !== query.qclass) return undefined
  if (type !== TYPE.ANY && query.qtype !== TYPE.ANY && type !== query.qtype) return undefined
  let closest: DnsName | undefined
  for (const zone of zones)
    if (query.qname.isWithin(zone) && zone.key.length > (closest?.key.length ?? 0)) closest = zone
  return closest
}

interface Found {
  readonly match: GoMatch
  readonly names: readonly string[]
}

function matchOf({ regexes }: AnswerTemplate, query: DnsQuery): Found | undefined {
  const name = query.name()
  for (const regex of regexes) {
    const match = regex.match(name)
    if (match) return { match, names: regex.names }
  }
  return undefined
}

function dataOf(query: DnsQuery, zone: DnsName, { match, names }: Found): TemplateStruct {
  const group = new Map<string, string>()
  for (const [index, text] of match.groups.entries()) {
    group.set(String(index), text)
    if (names[index]) group.set(names[index], text)
  }
  const question = { Name: query.name(), Qtype: query.qtype, Qclass: query.qclass }
  return {
    Zone: new DnsName(zone.key, zone.key).toString(),
    Name: query.name(),
    Class: query.class(),
    Type: query.type(),
    Match: match.groups,
    Group: group,
    Question: question,
    Remote: query.ip(),
    get Message() {
      const { id, opcode, isRecursionDesired, isCheckingDisabled, isAuthentic } = query.message
      return {
        Id: id,
        Opcode: opcode,
        RecursionDesired: isRecursionDesired,
        CheckingDisabled: isCheckingDisabled,
        AuthenticatedData: isAuthentic,
        Question: [question],
      }
    },
    Meta: (label) => query.metadata.get(String(label))?.() ?? '',
  }
}
