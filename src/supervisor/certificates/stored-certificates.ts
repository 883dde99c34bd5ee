/**
 * The certificates and challenges of the log, opened and checked: read anew as the store moves, and handed on where something is another one.
 *
 * One that cannot be used keeps nobody from starting: it is named, and the others are used.
 */
import type { Clock } from '../../base/clock.ts'
import type { SecretBox } from '../../contract/secrets.ts'
import type { LocalStore, Position } from '../../contract/store.ts'
import type { ChallengeMaterial } from '../../contract/tls.ts'
import { CHALLENGE_PREFIX, challengeMaterial } from '../../acme/challenges.ts'
import type { Certificate } from '../../tls/certificate.ts'
import {
  CERTIFICATE_PREFIX,
  certificateKey,
  type CertificateRecord,
  type CertificateSource,
  openCertificate,
  readCertificateRecord,
} from '../../tls/certificate-records.ts'
import type { Log } from '../log.ts'

export interface HeldCertificate {
  readonly name: string
  readonly source: CertificateSource
  readonly certificate: Certificate
}

export interface CertificateSet {
  /** In the order in which they are chosen: an operator's own before those that came by themselves. */
  readonly certificates: readonly HeldCertificate[]
  readonly challenges: ChallengeMaterial
}

export interface StoredCertificatesParts {
  readonly store: LocalStore
  readonly secrets: SecretBox
  readonly clock: Clock
  readonly log: Log
  /** Resolves when all workers use it. */
  readonly onChange: (set: CertificateSet) => Promise<void>
}

export interface KeptCertificate {
  /** Undefined where the log has none, and one is used all the same. */
  readonly record: CertificateRecord | undefined
  /** What is used. */
  readonly certificate: Certificate | undefined
  /** Why the one in the log is not. */
  readonly problem: Error | undefined
}

/** Entries that are looked at together. */
const ENTRIES_AT_ONCE = 500

export class StoredCertificates {
  readonly #parts: StoredCertificatesParts
  readonly #kept = new Map<string, KeptCertificate>()
  /** Those that could not be written, in place of what the log has. */
  readonly #unwritten = new Map<string, Certificate>()
  #challenges: ChallengeMaterial
  #readTo: Position
  #told: Promise<void> = Promise.resolve()

  constructor(parts: StoredCertificatesParts) {
    this.#parts = parts
    const { store, clock } = parts
    this.#readTo = store.position()
    this.#challenges = challengeMaterial(store, clock.now())
    this.#readAll()
  }

  get(name: string): KeptCertificate | undefined {
    const certificate = this.#unwritten.get(name)
    const kept = this.#kept.get(name)
    return certificate ? { record: kept?.record, certificate, problem: undefined } : kept
  }

  /** Names of all, in order. */
  names(): readonly string[] {
    return [...new Set([...this.#kept.keys(), ...this.#unwritten.keys()])].toSorted()
  }

  get set(): CertificateSet {
    const held = this.names().flatMap((name): HeldCertificate[] => {
      const { record, certificate } = this.get(name)!
      return certificate ? [{ name, source: record?.source ?? 'acme', certificate }] : []
    })
    const of = (wanted: CertificateSource) => held.filter(({ source }) => source === wanted)
    return { certificates: [...of('live'), ...of('acme')], challenges: this.#challenges }
  }

  /** The store may have moved. Resolves when all workers use what it has. */
  refresh(): Promise<void> {
    if (this.#readOn()) this.#tell()
    return this.#told
  }

  /** It counts until the log has one of that name. */
  useUnwritten(name: string, certificate: Certificate): Promise<void> {
    this.#unwritten.set(name, certificate)
    this.#tell()
    return this.#told
  }

  #tell(): void {
    this.#told = this.#parts.onChange(this.set)
  }

  /** True where something is another one now. */
  #readOn(): boolean {
    const { store, clock } = this.#parts
    const touched = this.#touched()
    const isAll = touched === 'all'
    let isChanged = false
    if (isAll || [...touched].some((key) => key.startsWith(CHALLENGE_PREFIX))) {
      const had = this.#challenges.http.size + this.#challenges.tlsAlpn.size
      this.#challenges = challengeMaterial(store, clock.now())
      isChanged = had + this.#challenges.http.size + this.#challenges.tlsAlpn.size > 0
    }
    if (isAll) return this.#readAll() || isChanged
    for (const key of touched)
      if (key.startsWith(CERTIFICATE_PREFIX))
        isChanged = this.#read(key.slice(CERTIFICATE_PREFIX.length)) || isChanged
    return isChanged
  }

  /** Keys that were written since it was read last. */
  #touched(): ReadonlySet<string> | 'all' {
    const { store } = this.#parts
    const keys = new Set<string>()
    for (;;) {
      const entries = store.entriesAfter(this.#readTo, ENTRIES_AT_ONCE)
      if (entries === 'reset') {
        this.#readTo = store.position()
        return 'all'
      }
      const last = entries.at(-1)
      if (last === undefined) return keys
      for (const { key } of entries) keys.add(key)
      this.#readTo = { log: this.#readTo.log, id: last.id, hash: last.hash }
    }
  }

  #readAll(): boolean {
    const names = this.#parts.store
      .list(CERTIFICATE_PREFIX)
      .map(([key]) => key.slice(CERTIFICATE_PREFIX.length))
    const isChanged = [...new Set([...names, ...this.#kept.keys()])].map((name) => this.#read(name))
    return isChanged.includes(true)
  }

  /** True where it is another one now. */
  #read(name: string): boolean {
    const { store, secrets, log } = this.#parts
    const before = this.#kept.get(name)
    const idOf = (kept: KeptCertificate | undefined) =>
      kept && `${kept.record?.source} ${kept.certificate?.material.id}`
    let record: CertificateRecord | undefined
    try {
      record = readCertificateRecord(store, name)
      if (record === undefined) this.#kept.delete(name)
      else
        this.#kept.set(name, {
          record,
          certificate: openCertificate(name, record, secrets),
          problem: undefined,
        })
    } catch (error) {
      const problem = error as Error
      // What was in force stays in force, until this program ends.
      if (record) this.#kept.set(name, { record, certificate: before?.certificate, problem })
      log.warn(`${certificateKey(name)} of the store cannot be used: ${problem.message}`)
    }
    const wasUnwritten = this.#unwritten.delete(name)
    return wasUnwritten || idOf(before) !== idOf(this.#kept.get(name))
  }
}
