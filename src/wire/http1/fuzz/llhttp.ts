/**
 * llhttp, the parser inside Node, as the judge. Driven directly, since a server a message would be a hundred times slower; the binding
 * is internal to Node, so its shape is written down here and checked by the tests that use it.
 */
import { createRequire } from 'node:module'
import { newReading, type Message, type Reading } from './reading.ts'

interface Parser {
  initialize(type: number, resource: object): void
  execute(bytes: Buffer): number | Error
  finish(): number | Error | undefined
  [callback: number]: unknown
}

interface Binding {
  readonly HTTPParser: {
    new (): Parser
    readonly REQUEST: number
    readonly RESPONSE: number
    readonly kOnHeaders: number
    readonly kOnHeadersComplete: number
    readonly kOnBody: number
    readonly kOnMessageComplete: number
  }
  readonly methods: readonly string[]
}

const { HTTPParser, methods } = createRequire(import.meta.url)('_http_common') as Binding

/** The methods llhttp knows; it refuses all others. */
export const LLHTTP_METHODS: ReadonlySet<string> = new Set(methods)

/** Node's return values of the head callback. */
const READ_BODY = 0
const SKIP_BODY = 1

/** Reads a stream that arrives in these pieces. `methods`, for responses: of the requests they answer. */
export function readWithLlhttp(
  kind: 'request' | 'response',
  pieces: readonly Buffer[],
  asked: string,
): Reading {
  const reading = newReading()
  const parser = new HTTPParser()
  parser.initialize(kind === 'request' ? HTTPParser.REQUEST : HTTPParser.RESPONSE, {})
  let early: string[] = []
  let earlyUrl = ''
  let current: Message | undefined
  // Called when a head has more fields than fit into one callback, and with the trailers.
  parser[HTTPParser.kOnHeaders] = (headers: string[], url: string) => {
    early.push(...headers)
    earlyUrl = url
  }
  parser[HTTPParser.kOnHeadersComplete] = (
    _major: number,
    minor: number,
    headers: string[] | undefined,
    method: number,
    url: string | undefined,
    status: number,
    _reason: string,
    upgrade: boolean,
    keepAlive: boolean,
  ): number => {
    if (upgrade) reading.stopped = 'upgrade'
    const list = headers === undefined ? early : [...early, ...headers]
    early = []
    const start = kind === 'request' ? `${methods[method]} ${url ?? earlyUrl}` : String(status)
    const isBodyless =
      kind === 'response' && (status < 200 || status === 204 || status === 304 || asked === 'HEAD')
    current = {
      start,
      minor,
      headers: lowered(list),
      // llhttp does not know yet that there is no body, and thinks that it ends with the connection.
      keepAlive: keepAlive || isBodyless,
      body: '',
      trailers: [],
      isComplete: false,
    }
    reading.messages.push(current)
    return isBodyless ? SKIP_BODY : READ_BODY
  }
  parser[HTTPParser.kOnBody] = (body: Buffer) => {
    current!.body += body.toString('latin1')
  }
  parser[HTTPParser.kOnMessageComplete] = () => {
    current!.trailers = lowered(early)
    current!.isComplete = true
    early = []
  }
  for (const piece of pieces) {
    const result = parser.execute(piece)
    if (typeof result !== 'number') {
      reading.stopped = result.message
      break
    }
    if (reading.stopped !== undefined) break
  }
  // A response without a length is complete when the connection ends.
  if (kind === 'response' && reading.stopped === undefined) parser.finish()
  return reading
}

function lowered(headers: readonly string[]): string[] {
  return headers.map((text, at) => (at % 2 === 0 ? text.toLowerCase() : text))
}
