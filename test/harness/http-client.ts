/** One HTTP request over a connection of its own, or over a kept one, and the whole answer. */
import { type Agent, type IncomingHttpHeaders, request as send } from 'node:http'

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  readonly text: string
}

export interface Ask {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
  readonly body?: string | Uint8Array
  /** Without one, the connection closes after the answer. */
  readonly agent?: Agent
  readonly timeoutMs?: number
  /** The address to come from. */
  readonly localAddress?: string
}

/** Rejects when the connection is cut before the answer is whole. */
export function ask(url: string | URL, options: Ask = {}): Promise<Answer> {
  const { method = 'GET', headers = {}, body, agent, timeoutMs = 250_000, localAddress } = options
  return new Promise((resolve, reject) => {
    const outgoing = send(
      url,
      {
        method,
        headers: headers as Record<string, string>,
        agent: agent ?? false,
        ...(localAddress && { localAddress }),
      },
      (incoming) => {
        const pieces: Buffer[] = []
        incoming.on('data', (piece: Buffer) => pieces.push(piece))
        incoming.on('error', reject)
        incoming.on('end', () => {
          const whole = Buffer.concat(pieces)
          resolve({
            status: incoming.statusCode!,
            headers: incoming.headers,
            body: whole,
            text: whole.toString(),
          })
        })
      },
    )
    outgoing.setTimeout(timeoutMs, () => outgoing.destroy(new Error(`no answer within ${timeoutMs} ms`)))
    outgoing.on('error', reject)
    // Node says nothing of the body of a method that seldom has one.
    const isFramed = outgoing.hasHeader('transfer-encoding') || outgoing.hasHeader('content-length')
    if (body !== undefined && !isFramed) outgoing.setHeader('content-length', Buffer.byteLength(body))
    outgoing.end(body)
  })
}
