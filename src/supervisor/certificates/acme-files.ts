/** Certificates that nodes of before kept as files: `acme/NAME.pem` in the data directory, certificate and key in one. */
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { type Certificate, checkCertificate } from '../../tls/certificate.ts'

export interface KeptFile {
  readonly name: string
  readonly certificate: Certificate
  readonly authority: string | undefined
  /** It lies elsewhere from here on. */
  remove(): void
}

const SUFFIX = '.pem'
const KEY_BEGINS = '-----BEGIN PRIVATE KEY-----'
/** Before the certificate, where whoever reads PEM passes it over (RFC 7468 §2): which authority it came from. */
const FROM = /^from (\S+)$/m

/** `onProblem` is told of those that cannot be used. */
export function readKeptFiles(folder: string, onProblem: (error: Error) => void): readonly KeptFile[] {
  return filesIn(folder).flatMap((file) => {
    const path = join(folder, file)
    try {
      const text = readFileSync(path, 'utf8')
      const at = text.indexOf(KEY_BEGINS)
      if (at < 0) throw new Error(`${path} holds no private key`)
      return [
        {
          name: file.slice(0, -SUFFIX.length),
          certificate: checkCertificate(text.slice(0, at), text.slice(at), { cert: path, key: path }),
          authority: FROM.exec(text)?.[1],
          remove: () => rmSync(path, { force: true }),
        },
      ]
    } catch (error) {
      onProblem(error as Error)
      return []
    }
  })
}

function filesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder).filter((file) => file.endsWith(SUFFIX))
  } catch {
    // There is none: nothing was ever kept there.
    return []
  }
}
