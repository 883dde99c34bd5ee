/**
 * Whether another server can be used. It is looked at only once an answer did not come: then it is asked for something small again and again, until
 * it answers, whatever that answer is.
 */
import { TYPE } from '../wire/dns/codes.ts'
import { DnsMessage } from '../wire/dns/message.ts'
import type { DnsName } from '../wire/dns/name.ts'
import type { Upstream } from './upstream.ts'
import { UpstreamError } from './upstream-error.ts'

const PROBE_TIMEOUT_MS = 1000

export interface HealthOptions {
  readonly intervalMs: number
  readonly isRecursionDesired: boolean
  readonly domain: DnsName
  readonly isTcp: boolean
  /** It did not answer. */
  readonly onFailure?: () => void
}

export class UpstreamHealth {
  /** Probes in a row that failed. */
  fails = 0
  readonly #upstream: Upstream
  readonly #options: HealthOptions
  #isChecking = false
  #isClosed = false
  #timer: NodeJS.Timeout | undefined

  constructor(upstream: Upstream, options: HealthOptions) {
    this.#upstream = upstream
    this.#options = options
  }

  /** More probes than `failsMax` failed. Zero: it is never down. */
  isDown(failsMax: number): boolean {
    return failsMax > 0 && this.fails > failsMax
  }

  /** Begins to look, where nobody does yet. */
  check(): void {
    if (this.#isChecking || this.#isClosed) return
    this.#isChecking = true
    void this.#probe()
  }

  close(): void {
    this.#isClosed = true
    clearTimeout(this.#timer)
  }

  async #probe(): Promise<void> {
    const { isRecursionDesired, domain, isTcp, intervalMs, onFailure } = this.#options
    const query = new DnsMessage()
    query.isRecursionDesired = isRecursionDesired
    query.question.push({ name: domain, type: TYPE.NS, class: 1 })
    try {
      await this.#upstream.exchange(query, isTcp, PROBE_TIMEOUT_MS)
      this.fails = 0
      this.#isChecking = false
      return
    } catch (error) {
      if (!(error instanceof UpstreamError)) throw error
      this.fails += 1
      onFailure?.()
    }
    if (!this.#isClosed) this.#timer = setTimeout(() => void this.#probe(), intervalMs).unref()
  }
}
