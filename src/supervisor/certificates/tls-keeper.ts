/**
 * Keeps what workers need to speak TLS: reads the certificates that the configuration names at the start and at each reload, looks whether their
 * files change, is given those of the log, turns the ticket keys, and hands all of it on as a whole.
 *
 * At the start and at a reload a bad pair is an error that names the file, and what was in force stays. Where a file changes by itself the
 * pair that was in force stays, too, and the operator is told. It is read once it has kept still for a look: whoever renews a certificate
 * writes two files, one after the other.
 */
import { statSync } from 'node:fs'
import type { Clock } from '../../base/clock.ts'
import { EdgeError } from '../../base/errors.ts'
import type { Config, ListenerConfig } from '../../config/schema.ts'
import type { MetricSample } from '../../contract/messages.ts'
import { type ListenerMaterial, NO_CHALLENGES, type TlsMaterial } from '../../contract/tls.ts'
import { type Certificate, readAuthorities, readCertificate } from '../../tls/certificate.ts'
import { tryTlsSettings } from '../../tls/secure-contexts.ts'
import { TicketKeys } from '../../tls/ticket-keys.ts'
import type { Follower, Step } from '../followers.ts'
import type { Log } from '../log.ts'
import type { CertificateSet, HeldCertificate } from './stored-certificates.ts'

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
  /** Resolves when all workers use it. */
  onChange(material: TlsMaterial): Promise<void>
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

/** What listeners name, read and checked. */
interface Held {
  readonly listen: readonly ListenerConfig[]
  readonly pairs: ReadonlyMap<string, Kept<Certificate>>
  readonly authorities: ReadonlyMap<string, Kept<string>>
}

export class TlsKeeper implements Follower {
  private readonly options: TlsKeeperOptions
  private readonly tickets: TicketKeys
  private held: Held
  /** Of the log. */
  private stored: CertificateSet = { certificates: [], challenges: NO_CHALLENGES }
  /** Workers were told of challenges, and have to be told when these are over. */
  private hadChallenges = false
  private timer: NodeJS.Timeout | undefined
  private warnedAtMs = 0

  /** Throws `certificate-invalid` with the file that is to blame. */
  constructor(options: TlsKeeperOptions) {
    const { edge, clock } = options
    this.options = options
    this.tickets = new TicketKeys(edge.ticketsRotate, clock.monotonic(), options.ticketKeys)
    this.held = readAll(edge.listen)
    this.warnOfExpiry()
  }

  /** Reads every file anew, whether or not it looks changed. */
  follow({ edge }: Config): Step {
    const next = readAll(edge.listen)
    return {
      changed: this.changedFiles(next),
      use: () => {
        this.held = next
        this.tickets.useEvery(edge.ticketsRotate)
        this.warnOfExpiry()
        return this.tell()
      },
    }
  }

  /** Where the same files hold something else than what is in force. */
  private changedFiles({ listen, pairs, authorities }: Held): readonly string[] {
    const { held } = this
    return listen.flatMap(({ tls }, index) => {
      if (tls === undefined) return []
      const path = `edge.listen[${index}].tls`
      const isOther = tls.certificates.some((pair) => {
        const before = held.pairs.get(pairKey(pair))?.value.material.id
        return before !== undefined && before !== pairs.get(pairKey(pair))!.value.material.id
      })
      const ca = tls.clientAuth?.ca ?? ''
      const before = held.authorities.get(ca)?.value
      const isOtherCa = before !== undefined && before !== authorities.get(ca)!.value
      return [...(isOther ? [`${path}.certificates`] : []), ...(isOtherCa ? [`${path}.clientAuth`] : [])]
    })
  }

  private get speaksTls(): boolean {
    return this.held.listen.some(({ tls }) => tls !== undefined)
  }

  /** Undefined where nobody speaks TLS, and no authority has asked for anything. */
  get material(): TlsMaterial | undefined {
    const { listen, pairs, authorities } = this.held
    if (!this.speaksTls && !this.hadChallenges) return undefined
    const stored = this.stored.certificates.map(({ certificate }) => certificate.material)
    const listeners = listen.map(({ tls, http2 }): ListenerMaterial | undefined => {
      if (tls === undefined) return undefined
      const { minVersion, ciphers, clientAuth } = tls
      const own = tls.certificates.map((pair) => pairs.get(pairKey(pair))!.value.material)
      return {
        certificates: [...own, ...stored],
        clientCa: clientAuth && authorities.get(clientAuth.ca)!.value,
        clientAuth: clientAuth?.mode,
        minVersion,
        ciphers,
        http2,
      }
    })
    return { listeners, ticketKeys: this.tickets.keys, challenges: this.stored.challenges }
  }

  get ticketKeys(): readonly Uint8Array[] {
    return this.tickets.keys
  }

  start(): void {
    if (!this.speaksTls) return
    this.tellOfNone()
    this.timer = setInterval(() => this.look(), LOOK_EVERY_MS)
    this.timer.unref()
  }

  stop(): void {
    clearInterval(this.timer)
  }

  /** What the log has. Resolves when all workers use it. */
  useStored(stored: CertificateSet): Promise<void> {
    const known = new Set(this.stored.certificates.map(({ certificate }) => certificate.material.id))
    this.stored = stored
    const { http, tlsAlpn } = stored.challenges
    this.hadChallenges ||= http.size + tlsAlpn.size > 0
    this.warnOfStored(({ certificate }) => !known.has(certificate.material.id))
    return this.tell()
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
    if (isChanged) void this.tell()
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
    return [...this.held.pairs.values(), ...this.held.authorities.values()]
  }

  private async tell(): Promise<void> {
    const { material } = this
    if (material !== undefined) await this.options.onChange(material)
  }

  /** Where a listener has none, no handshake comes to an end. */
  private tellOfNone(): void {
    const { edge, log } = this.options
    if (edge.acme !== undefined || this.stored.certificates.length > 0) return
    for (const { address, tls } of this.held.listen) {
      if (tls === undefined || tls.certificates.length > 0) continue
      log.warn(`${address} has no certificate yet, so no client comes in: \`orla certificates set\` sets one`)
    }
  }

  private warnOfExpiry(): void {
    this.warnedAtMs = this.options.clock.now()
    for (const { files, value } of this.held.pairs.values()) this.warnOf(files[0]!, value)
    this.warnOfStored(() => true)
  }

  /** Those of an authority are renewed, and where that fails, it is told. */
  private warnOfStored(isConcerned: (held: HeldCertificate) => boolean): void {
    for (const held of this.stored.certificates)
      if (held.source === 'live' && isConcerned(held)) this.warnOf(held.name, held.certificate)
  }

  private warnOf(what: string, { notBeforeMs, notAfterMs }: Certificate): void {
    const nowMs = this.options.clock.now()
    const day = (ms: number) => new Date(ms).toISOString().slice(0, 10)
    const warn = (text: string) => this.options.log.warn(`the certificate ${what} ${text}`)
    if (notAfterMs <= nowMs) warn(`expired on ${day(notAfterMs)}`)
    else if (notBeforeMs > nowMs) warn(`is not in force before ${day(notBeforeMs)}`)
    else if (notAfterMs - nowMs < EXPIRY_WARNING_MS) warn(`expires on ${day(notAfterMs)}`)
  }

  samples(): MetricSample[] {
    const all = [
      ...[...this.held.pairs.values()].map(({ value }) => value),
      ...this.stored.certificates.map(({ certificate }) => certificate),
    ]
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

/** Throws what is wrong with the first one that is. */
function readAll(listen: readonly ListenerConfig[]): Held {
  const pairs = new Map<string, Kept<Certificate>>()
  const authorities = new Map<string, Kept<string>>()
  for (const [index, { tls }] of listen.entries()) {
    if (tls === undefined) continue
    try {
      tryTlsSettings({ minVersion: tls.minVersion, ciphers: tls.ciphers })
    } catch (error) {
      const what = `edge.listen[${index}].tls.ciphers: OpenSSL takes none of "${tls.ciphers ?? ''}"`
      throw new EdgeError('config-invalid', `${what}: ${(error as Error).message}`, { cause: error })
    }
    for (const pair of tls.certificates)
      keep(pairs, pairKey(pair), [pair.cert, pair.key], () => readCertificate(pair))
    const ca = tls.clientAuth?.ca
    if (ca !== undefined) keep(authorities, ca, [ca], () => readAuthorities(ca))
  }
  return { listen, pairs, authorities }
}

function keep<T>(map: Map<string, Kept<T>>, key: string, files: readonly string[], read: () => T): void {
  if (map.has(key)) return
  const stamp = stampOf(files)
  map.set(key, { files, read, value: read(), stamp, seen: stamp })
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
