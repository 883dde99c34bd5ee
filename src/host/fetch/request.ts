/** What a unit asks to fetch, read and checked: it comes from untrusted code through an untrusted process. */
import { parseFields } from '../../http/edits.ts'
import type { HostCall } from '../../contract/host-calls.ts'
import { isToken } from '../../wire/http1/characters.ts'
import type { HeaderList } from '../../wire/http1/message.ts'

export type RedirectMode = 'follow' | 'manual' | 'error'

export interface FetchRequest {
  readonly method: string
  readonly url: URL
  /** Names in lower case, without framing. */
  readonly headers: HeaderList
  readonly body: Buffer | undefined
  readonly redirect: RedirectMode
  /** How many fetches of units led to the request that this one is made for. */
  readonly hops: number
}

/** What cannot be asked for. */
export class BadFetch extends Error {}

const URL_MAX = 8192

export function parseFetch({ head, body, isBytes, account }: HostCall): FetchRequest {
  let given: Readonly<Record<string, unknown>>
  try {
    given = JSON.parse(head) as typeof given
  } catch {
    throw new BadFetch('not in form')
  }
  const { url, method, headers, redirect, hasBody } = given
  if (typeof method !== 'string' || !isToken(method) || /^(?:CONNECT|TRACE)$/i.test(method)) {
    throw new BadFetch('its method cannot be sent')
  }
  if (redirect !== 'follow' && redirect !== 'manual' && redirect !== 'error') {
    throw new BadFetch('redirect is "follow", "manual" or "error"')
  }
  if (typeof headers !== 'string') throw new BadFetch('not in form')
  const list = parseFields(headers)
  if (list === undefined) throw new BadFetch('its headers cannot be sent')
  return {
    method,
    url: fetchUrl(url),
    headers: list.map((text, index) => (index % 2 === 0 ? text.toLowerCase() : text)),
    body: hasBody === true ? Buffer.from(body, isBytes ? 'latin1' : 'utf8') : undefined,
    redirect,
    hops: hopsIn(account.requestHead),
  }
}

/** An absolute URL of HTTP, without credentials. `base` is for redirects. */
export function fetchUrl(text: unknown, base?: URL): URL {
  const url = typeof text === 'string' && text.length <= URL_MAX ? URL.parse(text, base) : null
  if (url === null) throw new BadFetch('its URL cannot be read')
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new BadFetch(`${url.protocol} cannot be fetched, only http: and https:`)
  }
  if (url.username !== '' || url.password !== '') throw new BadFetch('its URL holds credentials')
  return url
}

/**
 * RFC 8586, by a member of its own: the mark that proxied requests carry means that they have been here, and are answered with
 * 508. A fetch may come back to this edge, but not for ever.
 */
const FETCH_MARK = /\borla; fetch=(\d{1,2})\b/g

function hopsIn(head: string): number {
  if (!/^cdn-loop:/im.test(head)) return 0
  let most = 0
  for (const line of head.split('\r\n')) {
    if (!/^cdn-loop:/i.test(line)) continue
    for (const [, hops] of line.matchAll(FETCH_MARK)) most = Math.max(most, Number(hops))
  }
  return most
}

/** The header as it goes out: who was there before, and one hop more. */
export function loopHeader(requestHead: string, hops: number): string {
  const before = requestHead
    .split('\r\n')
    .filter((line) => /^cdn-loop:/i.test(line))
    .map((line) =>
      line
        .slice(line.indexOf(':') + 1)
        .replaceAll(/,?\s*orla; fetch=\d+/g, '')
        .trim(),
    )
    .filter((value) => value !== '')
  return [...before, `orla; fetch=${hops + 1}`].join(', ')
}
