/**
 * A certificate and its key, read and checked: what a worker is given is known to work.
 *
 * Errors name the file and what is wrong with it; no byte of a key ever gets into one.
 */
import { createHash, createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import { EdgeError } from '../base/errors.ts'
import type { CertificateMaterial } from '../contract/tls.ts'

/** A pair with what an operator wants to know of it. */
export interface Certificate {
  readonly material: CertificateMaterial
  readonly notBeforeMs: number
  readonly notAfterMs: number
}

export interface CertificateFiles {
  readonly cert: string
  readonly key: string
}

/** Reads and checks both files. Throws `certificate-invalid` with the file's name. */
export function readCertificate(files: CertificateFiles): Certificate {
  return checkCertificate(readPem(files.cert, 'certificate'), readPem(files.key, 'key'), files)
}

/** `files` are how the two are called in errors. */
export function checkCertificate(cert: string, key: string, files: CertificateFiles): Certificate {
  const [leaf, ...intermediates] = parseChain(cert, files.cert)
  const privateKey = parseKey(key, files.key)
  if (!leaf!.checkPrivateKey(privateKey)) {
    const isOther = intermediates.some((other) => other.checkPrivateKey(privateKey))
    throw invalid(
      isOther
        ? `${files.cert} must begin with the certificate of ${files.key}; it comes later in the file`
        : `${files.key} is not the key of the certificate in ${files.cert}`,
    )
  }
  const names = namesOf(leaf!)
  if (names.length === 0) throw invalid(`${files.cert} is for no name: it has no subjectAltName and no CN`)
  try {
    createSecureContext({ cert, key })
  } catch (error) {
    // Such as a key that is too short: a worker would meet it in its first handshake.
    throw invalid(`${files.cert} cannot be used: ${(error as Error).message}`)
  }
  const id = createHash('sha256').update(cert).update('\0').update(key).digest('hex')
  return {
    material: { id, cert, key, names },
    notBeforeMs: Date.parse(leaf!.validFrom),
    notAfterMs: Date.parse(leaf!.validTo),
  }
}

/** Reads a file with authorities. Throws `certificate-invalid` with the file's name. */
export function readAuthorities(file: string): string {
  const text = readPem(file, 'certificate')
  parseChain(text, file)
  return text
}

function readPem(file: string, what: string): string {
  try {
    return readFileSync(file, 'latin1')
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const why =
      code === 'ENOENT'
        ? 'there is no such file'
        : code === 'EACCES'
          ? 'permission denied'
          : code === 'EISDIR'
            ? 'it is a directory'
            : message
    throw new EdgeError('certificate-invalid', `the ${what} ${file} cannot be read: ${why}`, { cause: error })
  }
}

const PEM_CERTIFICATE =
  /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----[^-]+-----END (?:TRUSTED |X509 )?CERTIFICATE-----/g

function parseChain(text: string, file: string): X509Certificate[] {
  const blocks = text.match(PEM_CERTIFICATE) ?? []
  if (blocks.length === 0) throw invalid(`${file} holds no certificate in PEM`)
  return blocks.map((block, index) => {
    try {
      return new X509Certificate(block)
    } catch {
      throw invalid(`${file} holds a certificate that cannot be read (number ${index + 1})`)
    }
  })
}

function parseKey(text: string, file: string): KeyObject {
  if (/ENCRYPTED/.test(text))
    throw invalid(`${file} is protected by a passphrase, which nobody could type at a start`)
  try {
    return createPrivateKey(text)
  } catch {
    throw invalid(`${file} holds no private key in PEM that can be read`)
  }
}

/** From subjectAltName, names and addresses; from CN where there is none (RFC 6125 §6.4.4 as last resort). */
function namesOf(certificate: X509Certificate): string[] {
  const names = [
    ...(certificate.subjectAltName ?? '').matchAll(/(?:^|, )(?:DNS|IP Address):("[^"]*"|[^,]+)/g),
  ].map(([, name]) => name!.replaceAll('"', '').toLowerCase())
  if (names.length > 0) return [...new Set(names)]
  const common = /^CN=(.+)$/m.exec(certificate.subject)?.[1]
  return common === undefined ? [] : [common.toLowerCase()]
}

const invalid = (message: string): EdgeError => new EdgeError('certificate-invalid', message)
