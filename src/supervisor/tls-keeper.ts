/**
 * Keeps what workers need to speak TLS: reads the certificates at the start, looks whether their files change, turns the
 * ticket keys, and hands all of it on as a whole.
 *
 * At the start a bad pair is an error that names the file. Later the pair that was in force stays, and the operator is told. A file
 * is read once it has kept still for a look: whoever renews a certificate writes two files, one after the other.
 */
import { statSync } from 'node:fs'
import type { Clock } from '../base/clock.ts'
import type { Config } from '../config/schema.ts'
import type { MetricSample } from '../contract/messages.ts'
import {
  type ChallengeMaterial,
  type ListenerMaterial,
  NO_CHALLENGES,
  type TlsMaterial,
} from '../contract/tls.ts'
import { type Certificate, readAuthorities, readCertificate } from '../tls/certificate.ts'
import { TicketKeys } from '../tls/ticket-keys.ts'
import type { Log } from './log.ts'

const LOOK_EVERY_MS = 1000
const DAY_MS = 86_400_000
/** An operator is told of a certificate that ends within this time, each day. */
const EXPIRY_WARNING_MS = 14 * DAY_MS

export interface TlsKeeperOptions {
  readonly edge: Config['edge']
  readonly clock: Clock
  readonly log: Log
  /** Those of the program before, whose sessions go on. */
  readonly ticketKeys?: readonly Uint8Array[]
  onChange(material: TlsMaterial): void
}

/** Something read from files: a pair, or authorities. */
interface Kept<T> {
  readonly files: readonly string[]
  readonly read: () => T
  value: T
  /** The files as they were when they were read last. */
  stamp: string
  /** As they were at the last look. */
  seen: string
}

export class TlsKeeper {
  private readonly options: TlsKeeperOptions
  private readonly tickets: TicketKeys
  private readonly pairs = new Map<string, Kept<Certificate>>()
  private readonly authorities = new Map<string, Kept<string>>()
  /** By name; from ACME. */
  private acme: ReadonlyMap<string, Certificate> = new Map()
  private challenges: ChallengeMaterial = NO_CHALLENGES
  private timer: NodeJS.Timeout | undefined
  private warnedAtMs = 0

  /** Throws `certificate-invalid` with the file that is to blame. */
  constructor(options: TlsKeeperOptions) {
    const { edge, clock } = options
    this.options = options
    this.tickets = new TicketKeys(edge.ticketsRotate, clock.monotonic(), options.ticketKeys)
    for (const { tls } of edge.listen) {
      for (const pair of tls?.certificates ?? [])
        this.keep(this.pairs, pairKey(pair), [pair.cert, pair.key], () => readCertificate(pair))
      const ca = tls?.clientAuth?.ca
      if (ca !== undefined) this.keep(this.authorities, ca, [ca], () => readAuthorities(ca))
    }
    this.warnOfExpiry()
  }

  private keep<T>(map: Map<string, Kept<T>>, key: string, files: readonly string[], read: () => T): void {
    if (map.has(key)) return
    const stamp = stampOf(files)
    map.set(key, { files, read, value: read(), stamp, seen: stamp })
  }

  /** Undefined where nobody speaks TLS. */
  get material(): TlsMaterial | undefined {
    const { listen } = this.options.edge
    if (listen.every(({ tls }) => tls === undefined)) return undefined
    const acme = [...this.acme.values()].map(({ material }) => material)
    const listeners = listen.map(({ tls }): ListenerMaterial | undefined => {
      if (tls === undefined) return undefined
      const own = tls.certificates.map((pair) => this.pairs.get(pairKey(pair))!.value.material)
      const ca = tls.clientAuth?.ca
      return {
        certificates: [...own, ...acme],
        clientCa: ca === undefined ? undefined : this.authorities.get(ca)!.value,
      }
    })
    return { listeners, ticketKeys: this.tickets.keys, challenges: this.challenges }
  }

  get ticketKeys(): readonly Uint8Array[] {
    return this.tickets.keys
  }

  start(): void {
    if (this.material === undefined) return
    this.timer = setInterval(() => this.look(), LOOK_EVERY_MS)
    this.timer.unref()
  }

  stop(): void {
    clearInterval(this.timer)
  }

  useAcme(certificates: ReadonlyMap<string, Certificate>): void {
    this.acme = certificates
    this.tell()
  }

  useChallenges(challenges: ChallengeMaterial): void {
    this.challenges = challenges
    this.tell()
  }

  /** Reads every file anew, whether or not it looks changed. */
  reload(): void {
    for (const kept of this.all()) {
      kept.seen = stampOf(kept.files)
      kept.stamp = ''
    }
    this.look()
  }

  private look(): void {
    let isChanged = this.tickets.rotate(this.options.clock.monotonic())
    for (const kept of this.all()) {
      const now = stampOf(kept.files)
      const isStill = now === kept.seen
      kept.seen = now
      if (!isStill || now === kept.stamp) continue
      kept.stamp = now
      isChanged = this.readAgain(kept) || isChanged
    }
    if (this.options.clock.now() - this.warnedAtMs > DAY_MS) this.warnOfExpiry()
    if (isChanged) this.tell()
  }

  private readAgain<T>(kept: Kept<T>): boolean {
    const { log } = this.options
    try {
      kept.value = kept.read()
      log.info(`read ${kept.files.join(' and ')} anew`)
      this.warnOfExpiry()
      return true
    } catch (error) {
      log.warn(`${(error as Error).message}; what was in force stays in force`)
      return false
    }
  }

  private all(): Kept<unknown>[] {
    return [...this.pairs.values(), ...this.authorities.values()]
  }

  private tell(): void {
    const { material } = this
    if (material !== undefined) this.options.onChange(material)
  }

  private warnOfExpiry(): void {
    const nowMs = this.options.clock.now()
    this.warnedAtMs = nowMs
    for (const { files, value } of this.pairs.values()) {
      const { notBeforeMs, notAfterMs } = value
      const day = (ms: number) => new Date(ms).toISOString().slice(0, 10)
      if (notAfterMs <= nowMs)
        this.options.log.warn(`the certificate ${files[0]} expired on ${day(notAfterMs)}`)
      else if (notBeforeMs > nowMs)
        this.options.log.warn(`the certificate ${files[0]} is not in force before ${day(notBeforeMs)}`)
      else if (notAfterMs - nowMs < EXPIRY_WARNING_MS)
        this.options.log.warn(`the certificate ${files[0]} expires on ${day(notAfterMs)}`)
    }
  }

  samples(): MetricSample[] {
    const all = [...[...this.pairs.values()].map(({ value }) => value), ...this.acme.values()]
    const soonest = new Map<string, number>()
    for (const { material, notAfterMs } of all) {
      const name = material.names[0]!
      soonest.set(name, Math.min(notAfterMs, soonest.get(name) ?? Number.POSITIVE_INFINITY))
    }
    return [...soonest].map(([name, ms]) => ({
      name: 'orla_tls_certificate_expiry_timestamp_seconds',
      labels: { name },
      value: ms / 1000,
    }))
  }
}

const pairKey = ({ cert, key }: { readonly cert: string; readonly key: string }): string => `${cert}\0${key}`

/** Changes whenever one of the files does: by its content, or by another file in its place. */
function stampOf(files: readonly string[]): string {
  return files
    .map((file) => {
      const stat = statSync(file, { throwIfNoEntry: false })
      return stat === undefined ? 'gone' : `${stat.ino}:${stat.size}:${stat.mtimeMs}:${stat.ctimeMs}`
    })
    .join(' ')
}
