/** What a client showed in the handshake, as units get it. */
import type { TLSSocket } from 'node:tls'
import type { ClientCertificate } from '../contract/tls.ts'

/** Undefined where it showed none. */
export function clientCertificate(socket: TLSSocket): ClientCertificate | undefined {
  const certificate = socket.getPeerX509Certificate()
  if (certificate === undefined) return undefined
  const problem = socket.authorizationError as unknown as string | Error | null
  return {
    verified: socket.authorized,
    ...(socket.authorized ? {} : { problem: problem instanceof Error ? problem.message : String(problem) }),
    subject: oneLine(certificate.subject),
    issuer: oneLine(certificate.issuer),
    altNames: certificate.subjectAltName ?? '',
    serial: certificate.serialNumber,
    fingerprint: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
    notBefore: new Date(certificate.validFrom).toISOString(),
    notAfter: new Date(certificate.validTo).toISOString(),
  }
}

/** `CN=alice\nO=Example` to `CN=alice,O=Example`. */
const oneLine = (name: string): string => name.trim().replaceAll('\n', ',')
