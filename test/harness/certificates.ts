/** Certificates for tests, made by openssl into a folder of the test's own. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { CertificateInfo } from '../../src/control/certificate-shapes.ts'
import type { TestNode } from './node.ts'

export interface CertificatePaths {
  readonly cert: string
  readonly key: string
}

export interface MakeOptions {
  /** 0 or less: it has ended. */
  readonly days?: number
  /** What signs it; itself unless given. */
  readonly ca?: CertificatePaths
}

export interface CertificateMaker {
  readonly folder: string
  /** `names` for subjectAltName; the first is CN too. */
  make(file: string, names: readonly string[], options?: MakeOptions): CertificatePaths
}

export function certificateMaker(t: TestContext): CertificateMaker {
  const folder = mkdtempSync(join(tmpdir(), 'orla-certificates-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return {
    folder,
    make(file, names, { days = 30, ca } = {}) {
      const paths = { cert: join(folder, `${file}.pem`), key: join(folder, `${file}.key`) }
      const alternatives = names
        .map((name) => (/^[\d.]+$/.test(name) ? `IP:${name}` : `DNS:${name}`))
        .join(',')
      execFileSync(
        'openssl',
        [
          ...'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'.split(' '),
          '-keyout',
          paths.key,
          '-out',
          paths.cert,
          '-subj',
          `/CN=${names[0]}/O=Orla tests`,
          '-addext',
          `subjectAltName=${alternatives}`,
          '-days',
          String(Math.max(1, days)),
          ...(ca === undefined ? [] : ['-CA', ca.cert, '-CAkey', ca.key]),
          ...(ca === undefined ? [] : ['-addext', 'basicConstraints=critical,CA:FALSE']),
        ],
        { stdio: ['ignore', 'ignore', 'pipe'] },
      )
      // `req` makes none that has ended, `x509` does: the same certificate, with other dates.
      if (days <= 0) {
        const renew = [
          'x509',
          '-in',
          paths.cert,
          '-signkey',
          paths.key,
          '-days',
          String(days),
          '-out',
          paths.cert,
        ]
        execFileSync('openssl', renew, { stdio: ['ignore', 'ignore', 'pipe'] })
      }
      return paths
    },
  }
}

export const pemOf = (paths: CertificatePaths): { readonly cert: string; readonly key: string } => ({
  cert: readFileSync(paths.cert, 'utf8'),
  key: readFileSync(paths.key, 'utf8'),
})

/** Those of the log. */
export async function certificatesOf(node: TestNode): Promise<readonly CertificateInfo[]> {
  return JSON.parse((await node.api('GET', '/v1/certificates')).text) as CertificateInfo[]
}
