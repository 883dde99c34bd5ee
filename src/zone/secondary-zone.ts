/**
 * A zone that is kept abreast of another server: fetched at the start, looked at again as its SOA says (RFC 1034 §4.3.5), and at once where that server says
 * that it changed (RFC 1996). What was fetched stays until something newer is here whole, or until it has expired.
 */
import { backOffMs } from '../base/back-off.ts'
import type { Timers } from '../base/timers.ts'
import type { DnsName } from '../wire/dns/name.ts'
import type { ServerAddress } from './tcp-link.ts'
import { transferIn, type TransferOptions } from './transfer-in.ts'
import type { Turns } from './turns.ts'
import type { Zone } from './zone.ts'

/** Until it was there once. */
const FIRST_RETRY = { firstMs: 250, maxMs: 10_000 }
/** What an SOA says is believed within these. */
const WAIT_MIN_MS = 1000
const WAIT_MAX_MS = 24 * 3_600_000
const NOTIFIED_MIN_MS = 500
/** So that not all come at once, as CoreDNS does it. */
const REFRESH_JITTER_MS = 5000
const RETRY_JITTER_MS = 2000

export interface SecondarySurroundings {
  readonly timers: Timers
  /** Milliseconds that never go back. */
  readonly steadyNow: () => number
  readonly random: () => number
  readonly turns: Turns
  readonly limits: Pick<TransferOptions, 'silenceMs' | 'wholeMs' | 'bytesMax'>
  readonly log: { info(text: string): void; warn(text: string): void; error(text: string): void }
  /** Another one took the place of the zone. */
  onChange(origin: DnsName): void
}

export class SecondaryZone {
  readonly origin: DnsName
  readonly primaries: readonly ServerAddress[]
  readonly #around: SecondarySurroundings
  #zone: Zone | undefined
  /** When a primary last said that the zone is as it is there. */
  #confirmedMs = 0
  #lookedMs = 0
  #failures = 0
  #isRunning = false
  #isWanted = false
  #isStopped = false
  #callOff: () => void = () => {}

  constructor(origin: DnsName, primaries: readonly ServerAddress[], around: SecondarySurroundings) {
    this.origin = origin
    this.primaries = primaries
    this.#around = around
  }

  /** Undefined until it was fetched once, and when it has expired. */
  get zone(): Zone | undefined {
    return this.isExpired ? undefined : this.#zone
  }

  get isExpired(): boolean {
    return (
      this.#zone !== undefined &&
      this.#around.steadyNow() - this.#confirmedMs > this.#zone.times.expireS * 1000
    )
  }

  /** Begins with what another one has of the same zone, as after a reload: it is looked at all the same. */
  start(former?: SecondaryZone): void {
    if (former && !former.isExpired) {
      this.#zone = former.#zone
      this.#confirmedMs = former.#confirmedMs
    }
    this.#look()
  }

  stop(): void {
    this.#isStopped = true
    this.#callOff()
  }

  isPrimary(ip: string): boolean {
    return this.primaries.some(({ host }) => host === ip)
  }

  /** A primary said that it changed. */
  notified(): void {
    if (this.#isRunning) {
      this.#isWanted = true
      return
    }
    this.#callOff()
    // Whoever forges such messages makes us ask no more often than that.
    const waitMs = this.#lookedMs + NOTIFIED_MIN_MS - this.#around.steadyNow()
    if (waitMs <= 0) this.#look()
    else this.#callOff = this.#around.timers.later(waitMs, () => this.#look())
  }

  #look(): void {
    this.#isRunning = true
    this.#isWanted = false
    this.#lookedMs = this.#around.steadyNow()
    void this.#around.turns
      .take(() => this.#fetch())
      .then((isDone) => {
        this.#isRunning = false
        if (this.#isStopped) return
        if (this.#isWanted) return this.notified()
        this.#callOff = this.#around.timers.later(this.#waitMs(isDone), () => this.#look())
      })
  }

  /** True where a primary told how the zone is. */
  async #fetch(): Promise<boolean> {
    const { random, steadyNow, limits, log } = this.#around
    for (const from of this.primaries) {
      if (this.#isStopped) return false
      const askedMs = steadyNow()
      try {
        // What has expired is fetched whole, whatever its serial.
        const options = { origin: this.origin, from, known: this.zone, random, ...limits }
        const fetched = await transferIn(options)
        if (this.#isStopped) return false
        this.#confirmedMs = askedMs
        this.#failures = 0
        if (fetched) this.#use(fetched.zone, from, fetched.isWhole)
        return true
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error)
        log.warn(`${this.origin.toString()} cannot be fetched from ${from.host}:${from.port}: ${reason}`)
      }
    }
    this.#failures += 1
    if (this.isExpired)
      log.error(`${this.origin.toString()} has expired: it is not served until a primary answers`)
    return false
  }

  #use(zone: Zone, from: ServerAddress, isWhole: boolean): void {
    this.#zone = zone
    const { log } = this.#around
    for (const warning of zone.warnings) log.warn(`${this.origin.toString()}: ${warning}`)
    log.info(
      `${this.origin.toString()} has serial ${zone.serial}, ${isWhole ? 'whole' : 'by its changes'} from ${from.host}:${from.port}`,
    )
    this.#around.onChange(this.origin)
  }

  #waitMs(isDone: boolean): number {
    const { random } = this.#around
    if (!this.#zone) return backOffMs(this.#failures, random, FIRST_RETRY)
    const { refreshS, retryS } = this.#zone.times
    const saidMs = (isDone ? refreshS : retryS) * 1000
    const jitterMs = isDone ? REFRESH_JITTER_MS : RETRY_JITTER_MS
    return Math.min(WAIT_MAX_MS, Math.max(WAIT_MIN_MS, saidMs)) + random() * jitterMs
  }
}
