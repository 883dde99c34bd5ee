/** How an edge reaches control planes: by HTTP, or TLS, with its token. */
import * as http from 'node:http'
import * as https from 'node:https'
import { EdgeError } from '../base/errors.ts'
import { readTlsFile } from '../base/tls-files.ts'
import type { EdgeHello } from '../contract/replication.ts'

/** The way to control planes; a simulation has another one. */
export interface ControlTransport {
  /** Opens the connection on which the edge is told what is new. */
  follow(control: string, hello: EdgeHello): FeedConnection
  /** Asks by JSON. Throws `EdgeError`, also where no answer comes in time. */
  ask(control: string, method: 'GET' | 'POST', path: string, body?: unknown): Promise<unknown>
  /** Lets go of connections that are kept open. */
  close(): void
}

export interface FeedConnection {
  /** As they come. They end where the control plane ends the connection in order; all else is thrown. To be read once. */
  readonly chunks: AsyncIterable<Uint8Array>
  /** Ends it from here: what waits for a chunk is thrown the reason. */
  cut(reason?: Error): void
}

export interface HttpTransportOptions {
  readonly controls: readonly string[]
  readonly token: () => string
  /** Path of a PEM file. */
  readonly ca: string | undefined
}

const ANSWER_MAX_MS = 10_000
/** What came of changes of key/value data is the largest. */
const ANSWER_BYTES_MAX = 32 * 1024 ** 2

export function httpTransport({ controls, token, ca }: HttpTransportOptions): ControlTransport {
  const isTls = controls.some((url) => url.startsWith('https:'))
  const keep = { keepAlive: true, maxSockets: 4 }
  const agent = isTls
    ? new https.Agent({ ...keep, ...(ca !== undefined && { ca: readTlsFile('store.ca', ca) }) })
    : new http.Agent(keep)

  function open(control: string, method: string, path: string, body: unknown): http.ClientRequest {
    const url = new URL(path, control)
    const { request } = url.protocol === 'https:' ? https : http
    return request(url, {
      method,
      agent,
      headers: {
        authorization: `Bearer ${token()}`,
        accept: 'text/event-stream, application/json',
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
    })
  }

  return {
    follow(control, hello) {
      const request = open(control, 'POST', '/v1/edges/follow', hello)
      return { chunks: chunksOf(control, request, hello), cut: (reason) => void request.destroy(reason) }
    },
    async ask(control, method, path, body) {
      const { promise, resolve, reject } = Promise.withResolvers<unknown>()
      const request = open(control, method, path, body)
      const late = () => request.destroy(new Error(`no answer within ${ANSWER_MAX_MS} ms`))
      const timer = setTimeout(late, ANSWER_MAX_MS)
      request.on('error', (error) => reject(unreachable(control, error)))
      request.on('response', (response) => {
        answerOf(control, response).then(resolve, reject)
      })
      request.end(body === undefined ? undefined : JSON.stringify(body))
      return promise.finally(() => clearTimeout(timer))
    },
    close: () => agent.destroy(),
  }
}

async function* chunksOf(
  control: string,
  request: http.ClientRequest,
  hello: EdgeHello,
): AsyncGenerator<Uint8Array> {
  try {
    const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
      request.on('response', resolve)
      request.on('error', reject)
      request.end(JSON.stringify(hello))
    })
    const { statusCode = 0 } = response
    if (statusCode !== 200) throw problemOf(control, statusCode, await readAll(response))
    yield* response
  } catch (error) {
    throw error instanceof EdgeError ? error : unreachable(control, error as Error)
  } finally {
    request.destroy()
  }
}

async function answerOf(control: string, response: http.IncomingMessage): Promise<unknown> {
  const text = await readAll(response).catch((error: Error) => {
    throw error instanceof EdgeError ? error : unreachable(control, error)
  })
  if (response.statusCode !== 200) throw problemOf(control, response.statusCode ?? 0, text)
  try {
    return text === '' ? undefined : (JSON.parse(text) as unknown)
  } catch {
    throw new EdgeError('control-unreachable', `${control}: what answers there is no control plane`)
  }
}

async function readAll(response: http.IncomingMessage): Promise<string> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of response as AsyncIterable<Uint8Array>) {
    bytes += chunk.length
    if (bytes > ANSWER_BYTES_MAX)
      throw new EdgeError('control-unreachable', 'the answer is larger than a control plane gives')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

const unreachable = (control: string, error: Error): EdgeError =>
  new EdgeError('control-unreachable', `${control}: ${error.message}`, { cause: error })

/** What a control plane says is in the words of its problem details (RFC 9457). */
function problemOf(control: string, status: number, text: string): EdgeError {
  let detail = `answered ${status}`
  let code: unknown
  try {
    const problem = JSON.parse(text) as { detail?: unknown; code?: unknown }
    if (typeof problem.detail === 'string') ({ detail } = problem as { detail: string })
    ;({ code } = problem)
  } catch {
    // Something else than a control plane answers there.
  }
  const known = status === 401 ? 'unauthorized' : status === 403 ? 'forbidden' : code
  const message = `${control}: ${detail}`
  switch (known) {
    case 'unauthorized':
    case 'forbidden':
    case 'edge-conflict':
    case 'request-invalid':
    case 'edge-unknown':
    case 'kv-refused':
    case 'kv-unavailable':
      return new EdgeError(known, message)
    default:
      return new EdgeError('control-unreachable', message)
  }
}
