/** Requests over TLS that show what the handshake showed: whose certificate came, whether a session was resumed. */
import { connect, type ConnectionOptions } from 'node:tls'

export interface HttpsAnswer {
  readonly text: string
  readonly subject: string
  readonly isReused: boolean
  readonly session: Buffer | undefined
  /** Of a session that may be resumed; it begins with the name of the key that sealed it. */
  readonly ticket: Buffer | undefined
}

/** One request over a connection of its own, with whatever certificate comes. */
export function askHttps(
  url: string,
  path: string,
  options: ConnectionOptions = {},
  more = '',
): Promise<HttpsAnswer> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port), rejectUnauthorized: false, ...options })
    let text = ''
    let session: Buffer | undefined
    let subject: string | undefined
    socket.on('session', (given) => (session = given))
    socket.on('secureConnect', () => {
      subject = String(socket.getPeerCertificate().subject?.CN ?? '')
      const host = options.servername ?? 'example.org'
      socket.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n${more}\r\n`)
    })
    socket.setEncoding('latin1').on('data', (piece: string) => (text += piece))
    socket.on('error', reject)
    socket.on('end', () => {
      if (subject === undefined) reject(new Error('ended before the handshake was done'))
      else {
        const ticket = socket.getTLSTicket()
        resolve({ text, subject, isReused: socket.isSessionReused(), session, ticket })
      }
    })
  })
}
