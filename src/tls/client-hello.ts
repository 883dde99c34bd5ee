/**
 * The first message of a TLS client (RFC 8446 §4.1.2), as far as the names it asks for and the protocols it speaks.
 *
 * Looked at only while an ACME challenge is pending: OpenSSL chooses the certificate before the protocol, and that challenge
 * wants another certificate for those who speak `acme-tls/1`.
 */
export interface ClientHello {
  readonly serverName: string | undefined
  readonly protocols: readonly string[]
}

const HANDSHAKE = 22
const CLIENT_HELLO = 1
const SERVER_NAME = 0
const ALPN = 16

/** Undefined: not whole yet. What is no such message has neither name nor protocols. */
export function parseClientHello(bytes: Buffer): ClientHello | undefined {
  const nothing: ClientHello = { serverName: undefined, protocols: [] }
  if (bytes.length > 0 && bytes[0] !== HANDSHAKE) return nothing
  if (bytes.length < 5) return undefined
  const end = 5 + bytes.readUInt16BE(3)
  if (end > 5 + 16_384) return nothing
  if (bytes.length < end) return undefined
  try {
    return readHello(bytes.subarray(5, end)) ?? nothing
  } catch {
    // A length that leads beyond the message: OpenSSL will tell the client.
    return nothing
  }
}

function readHello(bytes: Buffer): ClientHello | undefined {
  if (bytes[0] !== CLIENT_HELLO) return undefined
  let at = 4 + 2 + 32
  at += 1 + bytes.readUInt8(at)
  at += 2 + bytes.readUInt16BE(at)
  at += 1 + bytes.readUInt8(at)
  const end = at + 2 + bytes.readUInt16BE(at)
  at += 2
  let serverName: string | undefined
  let protocols: readonly string[] = []
  while (at < end) {
    const type = bytes.readUInt16BE(at)
    const length = bytes.readUInt16BE(at + 2)
    const body = bytes.subarray(at + 4, at + 4 + length)
    if (type === SERVER_NAME) serverName = body.toString('latin1', 5, 5 + body.readUInt16BE(3))
    if (type === ALPN) protocols = readProtocols(body)
    at += 4 + length
  }
  return { serverName, protocols }
}

function readProtocols(body: Buffer): string[] {
  const protocols: string[] = []
  for (let at = 2; at < body.length; at += 1 + body.readUInt8(at))
    protocols.push(body.toString('latin1', at + 1, at + 1 + body.readUInt8(at)))
  return protocols
}
