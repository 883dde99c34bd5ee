/** Answers with the nodes that were chosen for the client; what is asked besides their addresses is left to those behind. */
import {
  type DnsController,
  type DnsHandler,
  type DnsNext,
  type DnsOutcome,
  type DnsQuery,
} from '../../../contract/dns.ts'
import {
  addressOf,
  type ClientSubnet,
  clientSubnetOf,
  clientSubnetOption,
} from '../../../wire/dns/client-subnet.ts'
import { CLASS, RCODE, TYPE } from '../../../wire/dns/codes.ts'
import { DnsMessage } from '../../../wire/dns/message.ts'
import { believes } from './believes.ts'
import type { EdgeConfig } from './config.ts'
import type { EdgeAnswer } from './edge-answer.ts'
import { explainedText } from './explained.ts'
import type { EdgeFigures } from './figures.ts'
import { nothingHere, ownSoa } from './nothing-here.ts'
import type { Steerer } from './steerer.ts'
import { textRecord } from './text-record.ts'

export interface SteeredNames {
  readonly config: EdgeConfig
  readonly steerer: Steerer
  readonly figures: EdgeFigures
}

/** In front of a steered name: asks how a client is answered, and why. */
const EXPLAIN_LABEL = '\x06_steer'

export class EdgeHandler implements DnsHandler {
  readonly #byKey = new Map<string, SteeredNames>()
  /** By the name above: those below it, however deep. */
  readonly #below = new Map<string, SteeredNames>()
  readonly #controller: DnsController

  constructor(steered: readonly SteeredNames[], controller: DnsController) {
    this.#controller = controller
    for (const names of steered)
      for (const name of names.config.names) {
        if (name.isWildcard) this.#below.set(name.parent!.key, names)
        else this.#byKey.set(name.key, names)
      }
  }

  handle(query: DnsQuery, next: DnsNext): DnsOutcome | Promise<DnsOutcome> {
    const { qname, qtype } = query
    if (query.qclass !== CLASS.IN) return next(query)
    const names = this.#namesOf(qname.key)
    if (names === undefined)
      return qname.key.startsWith(EXPLAIN_LABEL) ? this.#explain(query, next) : next(query)
    const isAddress = qtype === TYPE.A || qtype === TYPE.AAAA || qtype === TYPE.ANY
    if (isAddress || names.steerer.hasCnames) return this.#choose(names, query, next)
    return this.#besides(names, query, next)
  }

  #namesOf(key: string): SteeredNames | undefined {
    const known = this.#byKey.get(key)
    if (known !== undefined || this.#below.size === 0) return known
    if (key.startsWith(EXPLAIN_LABEL)) return undefined
    for (let at = 1 + key.charCodeAt(0); at < key.length; at += 1 + key.charCodeAt(at)) {
      const above = this.#below.get(key.slice(at))
      if (above !== undefined) return above
    }
    return undefined
  }

  #choose(names: SteeredNames, query: DnsQuery, next: DnsNext): DnsOutcome | Promise<DnsOutcome> {
    const { steering } = names.steerer
    const { edns } = query
    let subnet: ClientSubnet | undefined
    if (edns !== undefined && edns.options.length > 0 && believes(names.config.ecs, query)) {
      const told = clientSubnetOf(edns)
      if (told === 'malformed') {
        query.explain('other', 'edge: the client subnet is malformed (RFC 7871 section 6)')
        return RCODE.FORMERR
      }
      subnet = told
    }
    const reply = query.reply()
    // Length 0: the client wants nothing told of it (§7.1.2). So who asks counts, and the answer is for all of its clients.
    const isTold = subnet !== undefined && subnet.length > 0
    const client = isTold ? addressOf(subnet!) : query.address()
    const answer = steering.choose(client)
    if (subnet !== undefined) {
      const wrapping = client.family !== subnet.family ? 96 : 0
      reply.edns?.options.push(clientSubnetOption(subnet, isTold ? steering.scope(client) + wrapping : 0))
    }
    query.isForClientAlone = true
    return this.#answered(names, query, next, reply, answer)
  }

  #answered(
    names: SteeredNames,
    query: DnsQuery,
    next: DnsNext,
    reply: DnsMessage,
    answer: EdgeAnswer,
  ): DnsOutcome | Promise<DnsOutcome> {
    const { qtype, qname } = query
    reply.isAuthoritative = true
    if (answer.kind !== 'chosen') names.figures.withoutNode(answer.kind)
    if (answer.kind === 'all down, closed') {
      query.explain('other', 'edge: no node is up')
      return RCODE.SERVFAIL
    }
    if (answer.kind === 'nobody') query.explain('prohibited', 'edge: no node serves this client')
    if (answer.cname !== undefined) {
      count(answer)
      reply.answer.push(answer.cname.withName(qname))
      return this.#followed(query, reply, answer)
    }
    if (qtype !== TYPE.A && qtype !== TYPE.AAAA && qtype !== TYPE.ANY)
      return this.#besides(names, query, next)
    const records =
      qtype === TYPE.AAAA || (qtype === TYPE.ANY && answer.v4.length === 0) ? answer.v6 : answer.v4
    if (records.length === 0) return nothingHere(reply, query, next)
    count(answer)
    const owner = records[0]!.name
    for (let index = 0; index < records.length; index++) {
      const record = records[index]!
      reply.answer.push(owner.key === qname.key ? record : record.withName(qname))
    }
    return reply
  }

  /** What a CNAME leads to, where we have it ourselves. */
  #followed(query: DnsQuery, reply: DnsMessage, { target }: EdgeAnswer): DnsOutcome | Promise<DnsOutcome> {
    const { zones } = this.#controller
    const { qtype } = query
    if (qtype === TYPE.CNAME || qtype === TYPE.ANY || !zones.some((zone) => target!.isWithin(zone)))
      return reply
    return this.#controller.lookup(query, target!, qtype).then((found) => {
      if (found) reply.answer.push(...found.answer)
      return reply
    })
  }

  /** Other types than those of addresses: whoever is behind may have them. The name is there, though, whatever they say. */
  #besides(names: SteeredNames, query: DnsQuery, next: DnsNext): DnsOutcome | Promise<DnsOutcome> {
    const there = (outcome: DnsOutcome): DnsOutcome => {
      if (outcome instanceof DnsMessage) {
        if (outcome.rcode !== RCODE.NXDOMAIN) return outcome
        const copy = outcome.copy()
        copy.rcode = RCODE.NOERROR
        return copy
      }
      if (outcome !== RCODE.REFUSED) return outcome
      const reply = query.reply()
      reply.isAuthoritative = true
      reply.authority.push(ownSoa(query, names.config.ttlSeconds))
      return reply
    }
    const outcome = next(query)
    return outcome instanceof Promise ? outcome.then(there) : there(outcome)
  }

  #explain(query: DnsQuery, next: DnsNext): DnsOutcome | Promise<DnsOutcome> {
    const above = query.qname.parent
    const names = above && this.#namesOf(above.key)
    if (names === undefined || above === undefined) return next(query)
    query.isForClientAlone = true
    if (!believes(names.config.explain, query)) {
      query.explain('prohibited', 'edge: choices are explained to others')
      return RCODE.REFUSED
    }
    const reply = query.reply()
    reply.isAuthoritative = true
    if (query.qtype !== TYPE.TXT) return nothingHere(reply, query, next)
    const subnet = clientSubnetOf(query.edns)
    if (subnet === 'malformed') return RCODE.FORMERR
    const isTold = subnet !== undefined && subnet.length > 0
    const ip = isTold ? addressOf(subnet) : query.address()
    const bits = ip.family === 4 ? 32 : 128
    const length = isTold ? (ip.family === subnet.family ? subnet.length : subnet.length - 96) : bits
    const explained = names.steerer.steering.explain({ ...ip, length })
    const lines = explainedText(explained, isTold ? 'from its client subnet' : 'who asks')
    reply.answer.push(textRecord(query.qname, lines))
    if (subnet) reply.edns?.options.push(clientSubnetOption(subnet, 0))
    return reply
  }
}

function count({ counts }: EdgeAnswer): void {
  for (let index = 0; index < counts.length; index++) counts[index]!.add(1)
}
