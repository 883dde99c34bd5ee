/** Certificates as the admin API sees them: listed, set and removed in the log, and used by the workers of all nodes when it is done. */
import type { Clock } from '../../base/clock.ts'
import { EdgeError } from '../../base/errors.ts'
import type { SecretBox } from '../../contract/secrets.ts'
import type { Effect, Position, StoreView } from '../../contract/store.ts'
import type { CertificateChange, CertificateInfo } from '../../control/certificate-shapes.ts'
import {
  type ChangeOptions,
  type ControlledNode,
  NotFinished,
  type NewCertificate,
} from '../../control/node.ts'
import { checkCertificate } from '../../tls/certificate.ts'
import {
  certificateEffect,
  certificateKey,
  type CertificateRecord,
  describeLeaf,
  openCertificate,
  readCertificateRecord,
} from '../../tls/certificate-records.ts'
import type { StoredCertificates } from './stored-certificates.ts'
import type { EdgeWaiting } from '../changes/unit-changes.ts'

export interface CertificateControlParts {
  readonly store: StoreView
  readonly secrets: SecretBox
  readonly clock: Clock
  readonly stored: StoredCertificates
  readonly edges: EdgeWaiting
  readonly workers: () => { readonly workers: number; readonly of: number }
  /** Appends what is planned, in its turn. */
  readonly write: (plan: () => readonly Effect[]) => Promise<Position>
}

export type CertificateMethods = Pick<
  ControlledNode,
  'certificates' | 'certificate' | 'setCertificate' | 'removeCertificate'
>

/** How the two are called in errors. */
const FIELDS = { cert: '`cert`', key: '`key`' }
const IN_PLACE = 'mend what is named; the key must be the one of the certificate, both in PEM'

export function certificateControl(parts: CertificateControlParts): CertificateMethods {
  const { store, secrets, clock, stored, edges } = parts

  const info = (name: string, record: CertificateRecord): CertificateInfo => {
    const { names, notBefore, notAfter, source, authority, at, cert } = record
    const problem = stored.get(name)?.problem?.message
    return {
      name,
      source,
      names: [...names],
      notBefore,
      notAfter,
      state: problem === undefined ? stateOf(record, clock.now()) : 'unusable',
      ...(problem !== undefined && { problem }),
      ...describeLeaf(cert),
      ...(authority !== undefined && { authority }),
      at,
    }
  }

  const known = (name: string): CertificateRecord => {
    const record = readCertificateRecord(store, name)
    if (record) return record
    throw new EdgeError('certificate-unknown', `the log has no certificate ${name.slice(0, 80)}`)
  }

  /** Writes it, and waits as long as is asked for. */
  async function change(name: string, plan: () => readonly Effect[], options: ChangeOptions) {
    const { wait, timeoutMs, onTimeout } = options
    const start = performance.now()
    const key = certificateKey(name)
    let before: string | undefined
    const position = await parts.write(() => {
      before = store.get(key)
      return plan()
    })
    const done = (reached?: ReturnType<EdgeWaiting['count']>) => {
      const ms = round(performance.now() - start)
      const { workers, of } = parts.workers()
      return {
        live: { workers: workers + (reached?.workers ?? 0), of: of + (reached?.ofWorkers ?? 0) },
        ...(reached && { edges: { live: reached.live, of: reached.of, ms } }),
        ms,
      }
    }
    const used = stored.refresh()
    if (wait === 'stored') return done()
    await used
    const level = edges.level(options)
    if (level === undefined) return done()
    const found = await edges.wait(level, position, Math.max(0, timeoutMs - (performance.now() - start)))
    // What an edge rejects of the set of units does not keep it from using certificates.
    if (found.kind !== 'not-yet') return done(edges.count(position))
    const said = `the certificate ${name} is not live on every edge after ${timeoutMs} ms`
    if (onTimeout !== 'withdraw')
      throw new NotFinished(`${said}; it is in the log, and goes on`, found.laggards)
    const written = store.get(key)
    await parts.write(() => (store.get(key) === written ? [backTo(key, before)] : []))
    throw new NotFinished(`${said}; it was withdrawn`, found.laggards, 'withdrawn')
  }

  return {
    certificates: () =>
      stored.names().flatMap((name) => {
        const record = readCertificateRecord(store, name)
        return record ? [info(name, record)] : []
      }),

    certificate: (name) => info(name, known(name)),

    async setCertificate(name, given, options): Promise<CertificateChange> {
      const certificate = checked(given, clock.now())
      const made = { name, certificate, source: 'live', at: clock.now() } as const
      const isThere = () => {
        const record = readCertificateRecord(store, name)
        return record?.source === 'live' && idOf(name, record, secrets) === certificate.material.id
      }
      const done = await change(name, () => (isThere() ? [] : [certificateEffect(made, secrets)]), options)
      return { certificate: info(name, known(name)), ...done }
    },

    async removeCertificate(name, options): Promise<CertificateChange> {
      const certificate = info(name, known(name))
      const plan = (): readonly Effect[] => {
        known(name)
        return [{ operation: 'DELETE', key: certificateKey(name) }]
      }
      return { certificate, ...(await change(name, plan, options)) }
    },
  }
}

function checked({ cert, key, force }: NewCertificate, nowMs: number) {
  try {
    const certificate = checkCertificate(cert, key, FIELDS)
    if (certificate.notAfterMs > nowMs || force) return certificate
    const day = new Date(certificate.notAfterMs).toISOString().slice(0, 10)
    throw new EdgeError('certificate-expired', `the certificate in ${FIELDS.cert} expired on ${day}`)
  } catch (error) {
    if (!(error instanceof EdgeError) || error.code !== 'certificate-invalid') throw error
    throw new EdgeError('certificate-invalid', error.message, { hint: IN_PLACE, cause: error })
  }
}

/** Undefined where it does not open, and so is to be replaced. */
function idOf(name: string, record: CertificateRecord, secrets: SecretBox): string | undefined {
  try {
    return openCertificate(name, record, secrets).material.id
  } catch {
    return undefined
  }
}

function stateOf({ notBefore, notAfter }: CertificateRecord, nowMs: number): CertificateInfo['state'] {
  if (notAfter <= nowMs) return 'expired'
  return notBefore > nowMs ? 'early' : 'valid'
}

const backTo = (key: string, value: string | undefined): Effect =>
  value === undefined ? { operation: 'DELETE', key } : { operation: 'SET', key, value }

const round = (ms: number): number => Math.round(ms * 100) / 100
