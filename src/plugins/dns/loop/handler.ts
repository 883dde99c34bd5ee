/**
 * Sends a question that nobody else asks, for HINFO of a name by chance, through the chain, and counts how often it is seen. Once is ourselves; twice may
 * be a server that asks again; more often, what we forward comes back to us.
 */
import type { DnsController, DnsHandler, DnsNext, DnsOutcome, DnsQuery } from '../../../contract/dns.ts'
import { RCODE, TYPE } from '../../../wire/dns/codes.ts'
import { DnsMessage } from '../../../wire/dns/message.ts'
import { DnsName } from '../../../wire/dns/name.ts'

/** How often it may be seen. */
const SEEN_MAX = 2
/** The server may not take queries yet; those that it forwards to may start later. */
const RETRY_MS = 2000
const TRY_FOR_MS = 30_000
/** Nothing is counted for longer than this after an answer: else somebody who learned the name could end the server. */
const ANSWERED_MS = 2000

export class LoopHandler implements DnsHandler {
  readonly #controller: DnsController
  readonly #name: DnsName
  #seen = 0
  #isOver = false
  #timer: NodeJS.Timeout | undefined

  constructor(controller: DnsController) {
    this.#controller = controller
    const { host, zones } = controller
    const label = () => String(Math.floor(host.random() * Number.MAX_SAFE_INTEGER))
    const zone = zones[0] ?? DnsName.ROOT
    // A zone so long that nothing fits below is asked for itself.
    this.#name = zone.below(label())?.below(label()) ?? zone
    controller.onStart(() => {
      this.#again(0, host.steadyNow() + TRY_FOR_MS)
    })
    controller.onShutdown(() => {
      this.#isOver = true
      clearTimeout(this.#timer)
    })
  }

  handle(query: DnsQuery, next: DnsNext): DnsOutcome | Promise<DnsOutcome> {
    if (query.qtype !== TYPE.HINFO || this.#isOver || !query.qname.equals(this.#name)) return next(query)
    this.#seen += 1
    if (this.#seen <= SEEN_MAX) return next(query)
    this.#isOver = true
    clearTimeout(this.#timer)
    const text = `Seen "HINFO IN ${this.#name.toString()}" more than twice, loop detected: a forward of this server block leads back to it`
    const { log, host } = this.#controller
    log.error(text)
    host.end?.(`plugin/loop: ${text}`)
    query.explain('other', 'loop: a forward leads back to this server')
    return RCODE.SERVFAIL
  }

  #again(afterMs: number, untilMs: number): void {
    this.#timer = setTimeout(() => void this.#probe(untilMs), afterMs).unref()
  }

  async #probe(untilMs: number): Promise<void> {
    const answer = await this.#controller.ask(this.#name, TYPE.HINFO)
    if (this.#isOver) return
    const isAnswered = answer instanceof DnsMessage
    if (!isAnswered && this.#controller.host.steadyNow() < untilMs) {
      // Those of the last try do not count for the next.
      this.#seen = 0
      this.#again(RETRY_MS, untilMs)
      return
    }
    this.#timer = setTimeout(() => {
      this.#isOver = true
    }, ANSWERED_MS).unref()
  }
}
