/**
 * What a write makes out of date (RFC 9111 §4.4): after a request that may have changed something, what is stored of
 * its address goes, and of the addresses that the answer names, where they are of the same host: otherwise one site
 * could empty another's cache.
 */
import { headerValue, type HeaderList, type RequestHead } from '../../wire/http1/message.ts'

/** RFC 9110 §9.2.1. Methods that nobody knows may change something. */
const SAFE = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE'])

export const isSafe = (method: string): boolean => SAFE.has(method)

/**
 * Targets in origin form, of the request's own authority, whose stored responses are to go; empty where nothing is.
 * Call it with the answer of every request whose method is not GET or HEAD.
 */
export function targetsToInvalidate(
  request: RequestHead,
  response: { readonly status: number; readonly headers: HeaderList },
): readonly string[] {
  if (isSafe(request.method)) return []
  // An error means that most likely nothing changed.
  if (response.status < 200 || response.status > 399) return []
  const targets = new Set([request.target])
  for (const name of ['location', 'content-location']) {
    const named = headerValue(response.headers, name)
    const target = named === undefined ? undefined : sameHostTarget(named, request)
    if (target !== undefined) targets.add(target)
  }
  return [...targets]
}

/** The target that a reference means, seen from the request; undefined where it leads to another host. */
function sameHostTarget(reference: string, request: RequestHead): string | undefined {
  // The scheme that the client used is not known here, and a TLS edge has both: so either is ours.
  const base = URL.parse(request.target, `http://${request.authority}`)
  const url = base === null ? null : URL.parse(reference, base)
  if (base === null || url === null) return undefined
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return undefined
  if (url.hostname !== base.hostname) return undefined
  const isSamePort = url.port === base.port || (url.protocol === 'https:' && url.port === '')
  return isSamePort ? url.pathname + url.search : undefined
}
