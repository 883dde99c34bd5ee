/** One POST of JSON to one member, over kept connections. What comes back is text and a status, or a stream of it; nothing is understood here. */
import {
  type ClientRequest,
  Agent as HttpAgent,
  type IncomingMessage,
  request as requestHttp,
} from 'node:http'
import { Agent as HttpsAgent, request as requestHttps } from 'node:https'
import type { TlsMaterial } from '../../../base/tls-files.ts'

export interface HttpAnswer {
  readonly status: number
  readonly text: string
}

export interface HttpCalls {
  /** Rejects with what the system says, or with an `Error` where no whole answer came in time. */
  post(url: URL, body: string, options: CallOptions): Promise<HttpAnswer>
  /** The answer as it comes; resolves with its head. No limit in time after that. */
  open(url: URL, body: string, options: CallOptions): Promise<IncomingMessage>
  close(): void
}

export interface CallOptions {
  readonly timeoutMs: number
  readonly token?: string | undefined
}

/** No answer that is right is as large: a page of the log or the state is a few megabytes. */
const ANSWER_BYTES_MAX = 256 * 1024 * 1024
const KEPT_MS = 30_000

export function httpCalls(tls: TlsMaterial): HttpCalls {
  // `timeout` is for connections that nobody uses.
  const plain = new HttpAgent({ keepAlive: true, timeout: KEPT_MS })
  const secure = new HttpsAgent({ keepAlive: true, timeout: KEPT_MS, ...tls })

  function start(url: URL, body: string, token: string | undefined): ClientRequest {
    const isSecure = url.protocol === 'https:'
    const bytes = Buffer.from(body)
    const request = (isSecure ? requestHttps : requestHttp)(url, {
      method: 'POST',
      agent: isSecure ? secure : plain,
      headers: {
        'content-type': 'application/json',
        'content-length': bytes.length,
        ...(token === undefined ? {} : { authorization: token }),
      },
    })
    request.end(bytes)
    return request
  }

  function open(url: URL, body: string, { timeoutMs, token }: CallOptions): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const request = start(url, body, token)
      const timer = setTimeout(() => request.destroy(late(timeoutMs)), timeoutMs)
      request.on('response', (response) => {
        clearTimeout(timer)
        resolve(response)
      })
      // Also after the head: then nobody listens to the promise any more, and the response says it.
      request.on('error', (error) => {
        clearTimeout(timer)
        reject(error)
      })
    })
  }

  return {
    open,
    async post(url, body, options) {
      const untilMs = performance.now() + options.timeoutMs
      const response = await open(url, body, options)
      const timer = setTimeout(
        () => response.destroy(late(options.timeoutMs)),
        Math.max(0, untilMs - performance.now()),
      )
      try {
        const pieces: Buffer[] = []
        let bytes = 0
        for await (const piece of response as AsyncIterable<Buffer>) {
          bytes += piece.length
          if (bytes > ANSWER_BYTES_MAX) throw new Error(`it answers with more than ${ANSWER_BYTES_MAX} bytes`)
          pieces.push(piece)
        }
        return { status: response.statusCode ?? 0, text: Buffer.concat(pieces).toString() }
      } finally {
        clearTimeout(timer)
      }
    },
    close() {
      plain.destroy()
      secure.destroy()
    },
  }
}

const late = (ms: number): Error => new Error(`no answer within ${Math.round(ms)} ms`)
