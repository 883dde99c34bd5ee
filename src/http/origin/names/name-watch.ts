/**
 * Follows the addresses of one name: asks again when their TTL has passed, for as long as the origin is there.
 *
 * What was good stays good: an empty answer, a name that is gone or a DNS server that is down changes nothing but the log,
 * and is tried again soon. An origin whose DNS fails is then as reachable as it was.
 */
import type { NameResolver } from './resolver.ts'

export interface NameWatchOptions {
  readonly name: string
  readonly resolver: NameResolver
  /** The addresses, when they are first known and whenever they differ. Never empty. */
  onAddresses(addresses: readonly string[]): void
  /** Once for each time that answers stop being good. */
  onTrouble(reason: string): void
}

/** After a failure: so long at first, then twice as long each time, up to the last. */
const RETRY_MIN_MS = 1000
const RETRY_MAX_MS = 30_000

export class NameWatch {
  /** The first answer, good or bad, is there. */
  isSettled = false
  /** Why the last answer was not good; empty while answers are good. */
  trouble = ''
  private readonly options: NameWatchOptions
  private v4: readonly string[] = []
  private v6: readonly string[] = []
  private known = ''
  private retryMs = RETRY_MIN_MS
  private timer: NodeJS.Timeout | undefined
  private isStopped = false

  constructor(options: NameWatchOptions) {
    this.options = options
    void this.ask()
  }

  /** Asks no more. The first answer is still told when it comes: somebody may wait for it. */
  stop(): void {
    this.isStopped = true
    clearTimeout(this.timer)
  }

  private async ask(): Promise<void> {
    const waitMs = await this.options.resolver.resolve(this.options.name).then(
      ({ v4 = this.v4, v6 = this.v6, ttlMs }) => this.take(v4, v6, ttlMs),
      (error: NodeJS.ErrnoException) => this.fail(error.code ?? error.message),
    )
    if (!this.isStopped) this.timer = setTimeout(() => void this.ask(), waitMs).unref()
  }

  private take(v4: readonly string[], v6: readonly string[], ttlMs: number): number {
    const addresses = [...new Set([...v4, ...v6])].toSorted()
    if (addresses.length === 0) return this.fail('no address that this machine can reach')
    const isWanted = !this.isStopped || !this.isSettled
    this.v4 = v4
    this.v6 = v6
    this.isSettled = true
    this.trouble = ''
    this.retryMs = RETRY_MIN_MS
    const text = addresses.join(' ')
    if (text !== this.known && isWanted) {
      this.known = text
      this.options.onAddresses(addresses)
    }
    return ttlMs
  }

  private fail(reason: string): number {
    const isWanted = !this.isStopped || !this.isSettled
    this.isSettled = true
    const isNew = this.trouble === ''
    this.trouble = reason
    if (isNew && isWanted) this.options.onTrouble(reason)
    const waitMs = this.retryMs
    this.retryMs = Math.min(RETRY_MAX_MS, waitMs * 2)
    return waitMs
  }
}
