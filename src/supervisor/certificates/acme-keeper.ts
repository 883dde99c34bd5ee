/**
 * Certificates from an ACME authority: ordered, written to the log, and renewed when two thirds of their life are over.
 *
 * Where the authority cannot be reached or says no, the last good certificate goes on, the operator is told, and it is asked again later and
 * later. Of several control planes that share a log one orders at a time. Nothing here holds up the start of the node.
 */
import { createPrivateKey, type KeyObject } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { challengeEffect, withdrawal } from '../../acme/challenges.ts'
import { AcmeClient, type ChallengePublisher } from '../../acme/client.ts'
import { OrderLease } from '../../acme/order-lease.ts'
import { keyPem, makeKey } from '../../acme/requests.ts'
import type { Clock } from '../../base/clock.ts'
import { EdgeError } from '../../base/errors.ts'
import { type AcmeConfig, isCertifiable } from '../../config/acme.ts'
import type { Config, SiteConfig } from '../../config/schema.ts'
import type { SecretBox } from '../../contract/secrets.ts'
import type { Effect, Position, StoreView } from '../../contract/store.ts'
import { writeSecretFile } from '../../store/secret-file.ts'
import { type Certificate, checkCertificate, readAuthorities } from '../../tls/certificate.ts'
import { certificateEffect, readCertificateRecord } from '../../tls/certificate-records.ts'
import { trustSystem } from '../../tls/system-authorities.ts'
import { readKeptFiles } from './acme-files.ts'
import type { Follower, Step } from '../followers.ts'
import type { Log } from '../log.ts'
import type { StoredCertificates } from './stored-certificates.ts'

const LOOK_EVERY_MS = 1000
const RETRY_FIRST_MS = 5_000
const RETRY_MAX_MS = 3_600_000

export interface AcmeKeeperOptions {
  readonly config: Config
  /** The data directory. */
  readonly directory: string
  readonly clock: Clock
  readonly log: Log
  readonly random?: () => number
  readonly store: StoreView
  readonly secrets: SecretBox
  readonly stored: StoredCertificates
  /** Other control planes may write to the log, too. */
  readonly isShared: boolean
  /** Tells this node from others that share the log. */
  readonly holder: () => string
  /** Appends what is planned, in its turn. */
  readonly write: (plan: () => readonly Effect[]) => Promise<Position>
  /** Resolves when the workers of all nodes that are here have what was written, or after a while. */
  readonly everywhere: (position: Position) => Promise<void>
}

interface Due {
  /** Which certificate it is about. */
  readonly id: string | undefined
  atMs: number
  failures: number
}

export class AcmeKeeper implements Follower {
  private readonly options: AcmeKeeperOptions
  /** As the configuration has it now; undefined: nothing is to be got. */
  private acme: AcmeConfig | undefined
  private sites: readonly SiteConfig[]
  private readonly folder: string
  private readonly due = new Map<string, Due>()
  /** What an authority gave and the log has not yet. */
  private readonly unwritten = new Map<string, () => Effect>()
  private lease: OrderLease | undefined
  /** Runs where there is something to ask for, between `start` and `stop`. */
  private timer: NodeJS.Timeout | undefined
  private isStarted = false
  private isBusy = false

  constructor(options: AcmeKeeperOptions) {
    this.options = options
    this.folder = join(options.directory, 'acme')
    const { edge, sites } = options.config
    this.sites = sites
    this.acme = edge.acme
    if (edge.acme?.ca !== undefined) readAuthorities(edge.acme.ca)
    this.setNames()
  }

  /** The sites that are live now: their hosts are the names, unless the configuration gives names. */
  useSites(sites: readonly SiteConfig[]): void {
    this.sites = sites
    this.setNames()
  }

  follow({ edge: { acme } }: Config): Step {
    if (acme?.ca !== undefined) readAuthorities(acme.ca)
    return {
      use: () => {
        if (JSON.stringify(acme) !== JSON.stringify(this.acme)) this.useConfig(acme)
      },
    }
  }

  /** As if the node had been started with it: what was refused before is asked for at once. */
  private useConfig(acme: AcmeConfig | undefined): void {
    this.acme = acme
    this.due.clear()
    this.setNames()
    if (acme === undefined) this.rest()
    else this.run()
  }

  /** What a name that is gone has stays in use, and is not renewed. */
  private setNames(): void {
    const { acme } = this
    const wanted = new Set(acme === undefined ? [] : (acme.names ?? namesOf(this.sites)))
    for (const name of this.due.keys()) if (!wanted.has(name)) this.due.delete(name)
    for (const name of wanted) this.setDue(name)
  }

  /** Unless it is about the same certificate as before, when one is to be got for the name. */
  private setDue(name: string): void {
    const { stored } = this.options
    const kept = stored.get(name)
    const id = kept && `${kept.record?.at} ${kept.certificate?.material.id} ${kept.problem?.message}`
    const due = this.due.get(name)
    if (due === undefined || due.id !== id) this.due.set(name, { id, atMs: this.dueMs(name), failures: 0 })
  }

  private dueMs(name: string): number {
    const { certificate, record, problem } = this.options.stored.get(name) ?? {}
    // An operator's own stands in its place.
    if (record?.source === 'live') return Number.POSITIVE_INFINITY
    // Whoever shares the log has another key of secrets, and can use it: two that order for each other's sake would never end.
    const isForeign =
      this.options.isShared && problem instanceof EdgeError && problem.code === 'secret-unreadable'
    if (record && isForeign)
      return this.renewalMs({ notBeforeMs: record.notBefore, notAfterMs: record.notAfter })
    if (certificate === undefined || problem !== undefined) return 0
    // Another authority is configured now, such as the real one after its staging: this one is used until that has answered.
    const isOther = record?.authority !== undefined && record.authority !== this.acme?.directory
    return isOther ? 0 : this.renewalMs(certificate)
  }

  /** Nodes that were set up together do not all come at once. */
  private renewalMs({ notBeforeMs, notAfterMs }: Pick<Certificate, 'notBeforeMs' | 'notAfterMs'>): number {
    const { random = Math.random } = this.options
    const life = notAfterMs - notBeforeMs
    return notBeforeMs + life * (2 / 3) + life * 0.02 * random()
  }

  /** Certificates that lie as files in the data directory, from before there were any in the log, come into it. To be called before workers start. */
  async takeFiles(): Promise<void> {
    const { log, write, store, secrets, clock, stored } = this.options
    const files = readKeptFiles(this.folder, (error) => log.warn(`${error.message}; it is not used`))
    for (const { name, certificate, authority, remove } of files) {
      const isNewer = () => {
        const record = readCertificateRecord(store, name)
        return !record || (record.source === 'acme' && record.notAfter < certificate.notAfterMs)
      }
      const made = { name, certificate, source: 'acme', authority, at: clock.now() } as const
      try {
        await write(() => (isNewer() ? [certificateEffect(made, secrets)] : []))
        remove()
      } catch (error) {
        log.warn(`${name}: its certificate stays a file until the next start: ${(error as Error).message}`)
        await stored.useUnwritten(name, certificate)
      }
    }
    await stored.refresh()
    this.setNames()
  }

  /** To be called once workers listen: the authority asks them. */
  start(): void {
    this.isStarted = true
    this.run()
  }

  stop(): void {
    this.isStarted = false
    this.lease?.stop()
    this.rest()
  }

  /** While a program hands over, a reload may still go live: it makes nobody ask. */
  private run(): void {
    if (!this.isStarted || this.acme === undefined || this.timer !== undefined) return
    this.timer = setInterval(() => void this.look(), LOOK_EVERY_MS)
    this.timer.unref()
    void this.look()
  }

  private rest(): void {
    clearInterval(this.timer)
    this.timer = undefined
  }

  private async look(): Promise<void> {
    if (this.isBusy) return
    this.isBusy = true
    await this.writeAgain()
    // Whoever shares the log may have got them, or an operator set or removed them.
    this.setNames()
    for (const [name, due] of this.due) {
      // Stopped meanwhile: another program asks from there on.
      if (this.timer === undefined || this.acme === undefined) break
      if (due.atMs <= this.options.clock.now()) await this.renew(name, due, this.acme)
    }
    this.isBusy = false
  }

  private async renew(name: string, due: Due, acme: AcmeConfig): Promise<void> {
    const { clock, log, stored, random = Math.random } = this.options
    try {
      const certificate = await this.inLease(() => {
        // What the one who had the lease before has got is there by now.
        this.setNames()
        return this.due.get(name) === due ? this.obtain(name, acme) : Promise.resolve(undefined)
      })
      if (certificate === undefined) return
      this.setNames()
      log.info(`${name} has a certificate until ${new Date(certificate.notAfterMs).toISOString()}`)
    } catch (error) {
      // Nobody wants to know any more.
      if (acme !== this.acme || this.timer === undefined) return
      const waitMs = Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** due.failures) * (0.8 + 0.4 * random())
      due.failures += 1
      due.atMs = clock.now() + waitMs
      const kept = stored.get(name)?.certificate ? 'the one it has goes on' : 'it has none'
      log.warn(
        `no certificate for ${name} from the ACME authority: ${(error as Error).message}; ${kept}; asked again in ${Math.round(waitMs / 1000)} s`,
      )
    }
  }

  /** Undefined where somebody else orders. */
  private async inLease<T>(work: () => Promise<T>): Promise<T | undefined> {
    const { clock, store, write, holder, log } = this.options
    const warn = (line: string) => log.warn(line)
    this.lease ??= new OrderLease({ clock, store, write, warn, holder: holder() })
    // What is pending is of one who was cut off.
    if (!(await this.lease.take(() => withdrawal(store)))) return undefined
    try {
      return await work()
    } finally {
      if (this.timer === undefined) this.lease.stop()
      else
        await this.lease
          .release()
          .catch((error: Error) => warn(`the lease on ACME orders runs out by itself: ${error.message}`))
    }
  }

  /** Undefined where it was stopped meanwhile, or is to be got in another way. */
  private async obtain(name: string, acme: AcmeConfig): Promise<Certificate | undefined> {
    const { stored, clock, secrets, log } = this.options
    mkdirSync(this.folder, { recursive: true, mode: 0o700 })
    if (acme.ca === undefined) trustSystem()
    const ca = acme.ca === undefined ? undefined : readAuthorities(acme.ca)
    const key = makeKey()
    const cert = await new AcmeClient(acme, this.accountKey(), ca).obtain(name, key, this.publisher(acme))
    // The log may be another program's by now.
    if (this.timer === undefined || acme !== this.acme) return undefined
    const certificate = checkCertificate(`${cert.trim()}\n`, keyPem(key), {
      cert: `the certificate of ${name}`,
      key: 'its key',
    })
    const made = { name, certificate, source: 'acme', authority: acme.directory, at: clock.now() } as const
    this.unwritten.set(name, () => certificateEffect(made, secrets))
    const problem = await this.writeAgain()
    if (problem) {
      // An authority gives few in a week: what it gave is used, stored or not.
      log.warn(`${problem.message}; ${name} has its certificate on this node alone until it can be stored`)
      await stored.useUnwritten(name, certificate)
    }
    return certificate
  }

  /** What could not be written before. Returns why it still cannot be. */
  private async writeAgain(): Promise<Error | undefined> {
    const { write, stored } = this.options
    for (const [name, effect] of this.unwritten) {
      try {
        await write(() => [effect()])
        this.unwritten.delete(name)
      } catch (error) {
        return error as Error
      }
    }
    await stored.refresh()
    return undefined
  }

  /** One for all authorities: each makes an account of its own for it. */
  private accountKey(): KeyObject {
    const path = join(this.folder, 'account.key')
    if (!existsSync(path)) writeSecretFile(path, keyPem(makeKey()).trim())
    return createPrivateKey(readFileSync(path))
  }

  /** The authority may ask any node: all of them know the answer before it is told to. */
  private publisher({ challenge: type }: AcmeConfig): ChallengePublisher {
    const { write, everywhere, store, log } = this.options
    return {
      async publish(name, token, keyAuthorisation) {
        const position = await write(() => [challengeEffect(token, { name, type, keyAuthorisation })])
        await everywhere(position)
      },
      withdraw: async (name) => {
        try {
          if (withdrawal(store, name).length > 0) await write(() => withdrawal(store, name))
        } catch (error) {
          log.warn(`the challenge for ${name} is not taken away yet: ${(error as Error).message}`)
        }
      },
    }
  }
}

/** Each once: sites may share a host. */
const namesOf = (sites: readonly SiteConfig[]): readonly string[] => [
  ...new Set(sites.flatMap(({ hosts }) => hosts.filter(isCertifiable))),
]
