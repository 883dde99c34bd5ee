/**
 * The chain of a server block: its handlers in their order, each with a guard around it, so that whatever one of them throws is SERVFAIL for its
 * query and nothing else.
 */
import {
  DnsStream,
  DROPPED,
  type DnsHandler,
  type DnsLog,
  type DnsNext,
  type DnsOutcome,
  type DnsQuery,
} from '../contract/dns.ts'
import { DnsMessage } from '../wire/dns/message.ts'
import { RCODE } from '../wire/dns/codes.ts'

export interface ChainLink {
  readonly plugin: string
  readonly handler: DnsHandler
  readonly log: DnsLog
  /** Whether what it threw is logged with its stack (`errors`, `debug`); so it is without this. */
  readonly hasStacktraces?: () => boolean
}

export interface ChainHooks {
  /** A handler threw, or returned what is no outcome. */
  onPanic(plugin: string, error: unknown): void
}

/** Behind the last plugin: nobody answers. */
const refuse: DnsNext = (query) => {
  query.answeredBy = ''
  return RCODE.REFUSED
}

/** The first link with all behind it. */
export function compileChain(links: readonly ChainLink[], hooks: ChainHooks): DnsNext {
  return links.reduceRight<DnsNext>((next, link) => guarded(link, next, hooks), refuse)
}

function guarded(
  { plugin, handler, log, hasStacktraces }: ChainLink,
  next: DnsNext,
  hooks: ChainHooks,
): DnsNext {
  const failed = (query: DnsQuery, error: unknown): DnsOutcome => {
    hooks.onPanic(plugin, error)
    const showsStack = hasStacktraces?.() ?? true
    log.error(`${query.name()} ${query.type()}: ${textOf(error, showsStack)}`)
    query.answeredBy = plugin
    query.explain('other', `${plugin}: failed`)
    return RCODE.SERVFAIL
  }
  const checked = (query: DnsQuery, outcome: DnsOutcome): DnsOutcome =>
    isOutcome(outcome) ? outcome : failed(query, new TypeError(`it returned ${wrongOutcome(outcome)}`))
  return (query) => {
    query.answeredBy = plugin
    try {
      const outcome = handler.handle(query, next)
      if (typeof outcome === 'object' && outcome !== null && 'then' in outcome)
        return outcome.then(
          (late) => checked(query, late),
          (error) => failed(query, error),
        )
      return checked(query, outcome)
    } catch (error) {
      return failed(query, error)
    }
  }
}

const textOf = (error: unknown, showsStack: boolean): string => {
  if (!(error instanceof Error)) return String(error)
  return showsStack && error.stack !== undefined ? error.stack : error.message
}

const isOutcome = (outcome: unknown): outcome is DnsOutcome =>
  outcome instanceof DnsMessage ||
  outcome instanceof DnsStream ||
  outcome === RCODE.SERVFAIL ||
  outcome === RCODE.REFUSED ||
  outcome === RCODE.FORMERR ||
  outcome === RCODE.NOTIMP ||
  outcome === DROPPED

const wrongOutcome = (outcome: unknown): string =>
  typeof outcome === 'number'
    ? `the rcode ${outcome} without a message: only FORMERR, SERVFAIL, NOTIMP and REFUSED say that nothing was written`
    : `${outcome === null ? 'null' : typeof outcome}: expected a message, or FORMERR, SERVFAIL, NOTIMP or REFUSED`
