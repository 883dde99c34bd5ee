/**
 * Small HTTP servers for whoever watches the process: `health`, `ready`, `prometheus`. Plugins of several server blocks may name the same address, and
 * so may those of the Corefile that takes the place of another one: the server is opened by the first and closed with the last, and the newest one
 * answers, so that a reload leaves no gap.
 */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { CorefileWord, DnsController } from '../../contract/dns.ts'

export interface HttpAnswer {
  readonly status: number
  readonly type?: string
  readonly text: string
}

interface Shared {
  readonly server: Server
  readonly opened: Promise<number>
  /** By path: the newest one last. */
  readonly answers: Map<string, (() => HttpAnswer)[]>
}

export interface HttpAddress {
  /** Undefined: all addresses. */
  readonly host: string | undefined
  readonly port: number
}

export interface OpenHttpEndpoint {
  readonly port: number
  close(): Promise<void>
}

/** A peer that sends nothing, or takes nothing, is let go. */
const REQUEST_MS = 5000
const CONNECTIONS_MAX = 256

const shared = new Map<string, Shared>()

/** `:8080`, `localhost:8080`, `[::1]:8080`, `192.0.2.1:8080`. */
export function httpAddressOf(controller: DnsController, word: CorefileWord): HttpAddress {
  const [, bracketed, plain, digits] = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(word.text) ?? []
  const port = Number(digits)
  if (digits === undefined || port > 65_535)
    return controller.fail(
      word,
      `'${word.text}' is no address: expected one such as :8080, localhost:8080 or [::1]:8080`,
    )
  return { host: bracketed ?? (plain || undefined), port }
}

/**
 * Rejects with what an operator can do where the address is taken. Port 0 is a port of the endpoint's own.
 * `isFirst`, as `DnsHost` has it: where there is one, a program that takes over may listen there beside it.
 */
export async function openHttpEndpoint(
  address: HttpAddress,
  path: string,
  answer: () => HttpAnswer,
  isFirst?: boolean,
): Promise<OpenHttpEndpoint> {
  const key = `${address.host ?? ''}:${address.port}`
  let one = address.port === 0 ? undefined : shared.get(key)
  if (!one) {
    one = open(address, isFirst === true)
    if (address.port !== 0) shared.set(key, one)
  }
  const { server, opened, answers } = one
  const forPath = answers.get(path) ?? []
  answers.set(path, forPath)
  forPath.push(answer)
  const close = async () => {
    if (forPath.includes(answer)) forPath.splice(forPath.indexOf(answer), 1)
    if ([...answers.values()].some((left) => left.length > 0)) return
    if (shared.get(key) === one) shared.delete(key)
    server.closeAllConnections()
    await new Promise<void>((resolve) => server.close(() => resolve()))
  }
  try {
    return { port: await opened, close }
  } catch (error) {
    await close()
    throw error
  }
}

function open({ host, port }: HttpAddress, reusePort: boolean): Shared {
  const answers: Shared['answers'] = new Map()
  const server = createServer((request, response) => {
    const path = (request.url ?? '').split('?')[0]!
    const answer = answers.get(path)?.at(-1)
    const {
      status,
      type = 'text/plain; charset=utf-8',
      text,
    } = answer?.() ?? { status: 404, text: 'not found\n' }
    response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(text) })
    response.end(request.method === 'HEAD' ? undefined : text)
    request.resume()
  })
  server.requestTimeout = REQUEST_MS
  server.headersTimeout = REQUEST_MS
  server.maxConnections = CONNECTIONS_MAX
  const opened = new Promise<number>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const shown = `${host ?? ''}:${port}`
      reject(
        new Error(
          error.code === 'EADDRINUSE'
            ? `${shown} is taken by another process: end it, or name another address in the Corefile`
            : `${shown} cannot be listened on: ${error.message}`,
        ),
      )
    })
    server.listen({ port, reusePort, ...(host !== undefined && { host }) }, () => {
      server.on('error', () => undefined)
      resolve((server.address() as AddressInfo).port)
    })
  })
  opened.catch(() => undefined)
  return { server, opened, answers }
}
