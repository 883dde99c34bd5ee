/**
 * Certificates from an ACME authority: kept in the data directory, renewed when two thirds of their life are over.
 *
 * Where the authority cannot be reached or says no, the last good certificate goes on, the operator is told, and it is asked again later and
 * later. Nothing here holds up the start of the node.
 */
import { createPrivateKey, createHash, type KeyObject } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { AcmeClient, type ChallengePublisher } from '../acme/client.ts'
import { challengeCertificate, keyPem, makeKey } from '../acme/requests.ts'
import type { Clock } from '../base/clock.ts'
import { type AcmeConfig, isCertifiable } from '../config/acme.ts'
import type { Config, SiteConfig } from '../config/schema.ts'
import type { CertificateMaterial, ChallengeMaterial } from '../contract/tls.ts'
import { writeSecretFile } from '../store/secret-file.ts'
import { type Certificate, checkCertificate, readAuthorities } from '../tls/certificate.ts'
import { trustSystem } from '../tls/system-authorities.ts'
import type { Follower, Step } from './followers.ts'
import type { Log } from './log.ts'

const LOOK_EVERY_MS = 1000
const RETRY_FIRST_MS = 5_000
const RETRY_MAX_MS = 3_600_000
/** Workers have heard of a challenge by then. */
const PUBLISH_MS = 250

export interface AcmeKeeperOptions {
  readonly config: Config
  /** The data directory. */
  readonly directory: string
  readonly clock: Clock
  readonly log: Log
  readonly random?: () => number
  /** Who hands it on to workers. */
  readonly tls: {
    useAcme(certificates: ReadonlyMap<string, Certificate>): void
    useChallenges(challenges: ChallengeMaterial): void
  }
}

interface Due {
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
  private readonly certificates = new Map<string, Certificate>()
  private readonly http = new Map<string, string>()
  private readonly tlsAlpn = new Map<string, CertificateMaterial>()
  private readonly tokens = new Map<string, string>()
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
    if (this.acme === undefined || this.acme.names !== undefined) return
    const before = this.certificates.size
    this.setNames()
    if (this.certificates.size > before) this.options.tls.useAcme(new Map(this.certificates))
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
    if (acme === undefined) {
      this.certificates.clear()
      this.rest()
    } else this.run()
    this.options.tls.useAcme(new Map(this.certificates))
  }

  /** What a name that is gone has stays in use, and is not renewed. */
  private setNames(): void {
    const { acme } = this
    const wanted = new Set(acme === undefined ? [] : (acme.names ?? namesOf(this.sites)))
    for (const name of this.due.keys()) if (!wanted.has(name)) this.due.delete(name)
    for (const name of wanted)
      if (!this.due.has(name)) this.due.set(name, { atMs: this.readKept(name), failures: 0 })
  }

  /** What the data directory has of a name. Returns when it is to be renewed. */
  private readKept(name: string): number {
    const path = this.path(name)
    if (!existsSync(path)) return 0
    try {
      const text = readFileSync(path, 'utf8')
      const at = text.indexOf(KEY_BEGINS)
      if (at < 0) throw new Error(`${path} holds no private key`)
      const certificate = checkCertificate(text.slice(0, at), text.slice(at), { cert: path, key: path })
      this.certificates.set(name, certificate)
      const from = FROM.exec(text)?.[1]
      // Another authority is configured now, such as the real one after its staging: this one is used until that has answered.
      return from === undefined || from === this.acme?.directory ? this.renewalMs(certificate) : 0
    } catch (error) {
      this.options.log.warn(`${(error as Error).message}; another one is asked for`)
      return 0
    }
  }

  /** Certificate and key in one file: whatever happens, the one is never there without the other. */
  private path(name: string): string {
    return join(this.folder, `${name}.pem`)
  }

  /** Nodes that were set up together do not all come at once. */
  private renewalMs({ notBeforeMs, notAfterMs }: Certificate): number {
    const { random = Math.random } = this.options
    const life = notAfterMs - notBeforeMs
    return notBeforeMs + life * (2 / 3) + life * 0.02 * random()
  }

  /** What the data directory has. To be called before workers start: they are asked for it from their first connection on. */
  useKept(): void {
    if (this.certificates.size > 0) this.options.tls.useAcme(new Map(this.certificates))
  }

  /** To be called once workers listen: the authority asks them. */
  start(): void {
    this.isStarted = true
    this.run()
  }

  stop(): void {
    this.isStarted = false
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
    for (const [name, due] of this.due) {
      // Stopped meanwhile: another program asks from there on.
      if (this.timer === undefined || this.acme === undefined) break
      if (due.atMs <= this.options.clock.now()) await this.renew(name, due, this.acme)
    }
    this.isBusy = false
  }

  private async renew(name: string, due: Due, acme: AcmeConfig): Promise<void> {
    const { clock, log, random = Math.random } = this.options
    try {
      const certificate = await this.obtain(name, acme)
      if (certificate === undefined) return
      this.certificates.set(name, certificate)
      due.failures = 0
      due.atMs = this.renewalMs(certificate)
      this.options.tls.useAcme(new Map(this.certificates))
      log.info(`${name} has a certificate until ${new Date(certificate.notAfterMs).toISOString()}`)
    } catch (error) {
      // Nobody wants to know any more.
      if (acme !== this.acme) return
      const waitMs = Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** due.failures) * (0.8 + 0.4 * random())
      due.failures += 1
      due.atMs = clock.now() + waitMs
      const kept = this.certificates.has(name) ? 'the one it has goes on' : 'it has none'
      log.warn(
        `no certificate for ${name} from the ACME authority: ${(error as Error).message}; ${kept}; asked again in ${Math.round(waitMs / 1000)} s`,
      )
    }
  }

  /** Undefined where it was stopped meanwhile, or is to be got in another way. */
  private async obtain(name: string, acme: AcmeConfig): Promise<Certificate | undefined> {
    mkdirSync(this.folder, { recursive: true, mode: 0o700 })
    if (acme.ca === undefined) trustSystem()
    const ca = acme.ca === undefined ? undefined : readAuthorities(acme.ca)
    const key = makeKey()
    const cert = await new AcmeClient(acme, this.accountKey(), ca).obtain(name, key, this.publisher(acme))
    // The folder may be another program's by now: its key must not come to lie beside our certificate.
    if (this.timer === undefined || acme !== this.acme) return undefined
    const path = this.path(name)
    const certificate = checkCertificate(cert, keyPem(key), { cert: path, key: path })
    try {
      writeSecretFile(path, `${fromLine(acme)}${cert.trim()}\n${keyPem(key).trim()}`)
    } catch (error) {
      // An authority gives few in a week: what it gave is used, disk or not.
      this.options.log.warn(
        `${(error as Error).message}; ${name} has its certificate until this program ends`,
      )
    }
    return certificate
  }

  /** One for all authorities: each makes an account of its own for it. */
  private accountKey(): KeyObject {
    const path = join(this.folder, 'account.key')
    if (!existsSync(path)) writeSecretFile(path, keyPem(makeKey()).trim())
    return createPrivateKey(readFileSync(path))
  }

  // ── what the authority asks ─────────────────────────────────────────────────────────────────────────────────

  private publisher({ challenge }: AcmeConfig): ChallengePublisher {
    return {
      publish: (name, token, keyAuthorisation) => this.publish(challenge, name, token, keyAuthorisation),
      withdraw: (name) => this.withdraw(name),
    }
  }

  private async publish(
    challenge: AcmeConfig['challenge'],
    name: string,
    token: string,
    keyAuthorisation: string,
  ): Promise<void> {
    this.tokens.set(name, token)
    if (challenge === 'http-01') {
      this.http.set(token, keyAuthorisation)
    } else {
      const digest = createHash('sha256').update(keyAuthorisation).digest()
      const { cert, key } = challengeCertificate(name, digest, this.options.clock.now())
      this.tlsAlpn.set(name, { id: token, cert, key, names: [name] })
    }
    this.tell()
    await new Promise((resolve) => setTimeout(resolve, PUBLISH_MS))
  }

  private withdraw(name: string): void {
    this.http.delete(this.tokens.get(name) ?? '')
    this.tlsAlpn.delete(name)
    this.tokens.delete(name)
    this.tell()
  }

  private tell(): void {
    this.options.tls.useChallenges({ http: new Map(this.http), tlsAlpn: new Map(this.tlsAlpn) })
  }
}

const KEY_BEGINS = '-----BEGIN PRIVATE KEY-----'

/** Before the certificate in its file, where whoever reads PEM passes it over (RFC 7468 §2): which authority it came from. */
const FROM = /^from (\S+)$/m
const fromLine = ({ directory }: AcmeConfig): string => `from ${directory}\n`

/** Each once: sites may share a host. */
const namesOf = (sites: readonly SiteConfig[]): readonly string[] => [
  ...new Set(sites.flatMap(({ hosts }) => hosts.filter(isCertifiable))),
]
