/** One probe of a node: a TCP connection that opens, or a GET that is answered with a status that is good. */
import { type ClientRequest, get as getHttp } from 'node:http'
import { get as getHttps } from 'node:https'
import { connect, isIP } from 'node:net'
import type { ProbeTarget } from './node.ts'

export type ProbeResult = { readonly isGood: true } | { readonly isGood: false; readonly why: string }

/** More headers than that are no answer to a probe. */
const HEADER_BYTES_MAX = 16 * 1024

/** Never rejects, and never takes longer than the target's timeout. `signal` ends it early. */
export function probe(target: ProbeTarget, signal: AbortSignal): Promise<ProbeResult> {
  return target.url.startsWith('tcp:') ? probeTcp(target, signal) : probeHttp(target, signal)
}

function probeTcp({ url, timeoutMs }: ProbeTarget, signal: AbortSignal): Promise<ProbeResult> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve) => {
    const socket = connect({ host: bare(hostname), port: Number(port), signal })
    const end = (result: ProbeResult) => {
      clearTimeout(timer)
      socket.destroy()
      resolve(result)
    }
    const timer = setTimeout(() => end(bad(`no connection within ${timeoutMs} ms`)), timeoutMs)
    socket.on('connect', () => end({ isGood: true }))
    socket.on('error', (error: NodeJS.ErrnoException) => end(bad(error.code ?? error.message)))
  })
}

function probeHttp(target: ProbeTarget, signal: AbortSignal): Promise<ProbeResult> {
  const { url, timeoutMs, host } = target
  return new Promise((resolve) => {
    const { protocol, hostname, port, pathname, search } = new URL(url)
    let request: ClientRequest | undefined
    const end = (result: ProbeResult) => {
      clearTimeout(timer)
      // The body is not read: whatever comes behind the head is cut off.
      request?.destroy()
      resolve(result)
    }
    const timer = setTimeout(() => end(bad(`no answer within ${timeoutMs} ms`)), timeoutMs)
    const name = host ?? bare(hostname)
    try {
      request = (protocol === 'https:' ? getHttps : getHttp)({
        host: bare(hostname),
        ...(port !== '' && { port }),
        path: pathname + search,
        headers: { 'user-agent': 'orla-probe', ...(host !== undefined && { host }) },
        ...(protocol === 'https:' && isIP(name) === 0 && { servername: name }),
        // Each probe opens a connection of its own: that is part of what it looks at.
        agent: false,
        maxHeaderSize: HEADER_BYTES_MAX,
        signal,
      })
    } catch (error) {
      end(bad((error as Error).message))
      return
    }
    request.on('response', (answer) => {
      answer.on('error', () => undefined)
      const status = answer.statusCode ?? 0
      const isGood =
        target.statuses.length > 0 ? target.statuses.includes(status) : status >= 200 && status < 400
      end(isGood ? { isGood } : bad(`status ${status}`))
    })
    request.on('error', (error: NodeJS.ErrnoException) => end(bad(error.code ?? error.message)))
  })
}

const bad = (why: string): ProbeResult => ({ isGood: false, why })

/** Without the brackets that a URL puts around an address of IPv6. */
const bare = (hostname: string): string => hostname.replace(/^\[|\]$/g, '')
