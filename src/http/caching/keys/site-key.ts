/**
 * What answers of a site are kept under, compiled once from its configuration into one function.
 *
 *     https://example.com/a?page=2                                     scheme, host, path and query
 *     https://example.com/a?page=2 h:x-tenant=acme c:lang=de d:phone   with what the configuration adds
 *     https://example.com/a?page=2 page@2                              clients that have a new version of a unit already
 *     https://example.com/mine u                                       a unit said what the key is: `/mine`
 *     shop https://example.com/a                                       in a store that several sites share
 *
 * What stands before the first space (behind the site's name and its space, where there is one) is the *plain part*: what a purge of a URL
 * names. All behind it begins with a space, and neither a target nor an escaped value holds one, so no client writes a key of another
 * kind. The price of escaping is paid by sites that add something to the key; the others join two strings.
 *
 * The path is kept byte by byte: `/%2f` and `//`, `/a/../b` and `/b` are different things to many origins, and the origin is asked for
 * exactly what the key says. For the same reason the query that the origin is sent is the one in the key.
 */
import type { SiteCacheConfig } from '../../../config/schema.ts'
import { parseAuthority } from '../../../wire/http1/authority.ts'
import type { HeaderList } from '../../../wire/http1/message.ts'
import { canonicalAuthority, type AskedHost } from './authority.ts'
import { deviceOf } from './device.ts'
import { compileQuery, type QueryRule } from './query.ts'
import { cookiePart, headerPart, type KeyPart } from './request-parts.ts'

export type CacheKeyConfig = SiteCacheConfig['key']

/** Who asks, as far as the key goes: see `Client`. */
export interface KeyedClient {
  readonly scheme: 'http' | 'https'
  /** `https://` */
  readonly keyPrefix: string
  /** What a trusted proxy said that the origin will be told of: begins with a space, or is empty. */
  readonly keySuffix: string
}

/** The request, as units rewrote it. */
export interface KeyedRequest extends AskedHost {
  readonly target: string
  readonly headers: HeaderList
}

/** Characters of a unit's key at most. */
const OWN_KEY_MAX = 1024

/** What a unit may say the key is: visible characters, of which the first is a slash. */
export const isOwnKey = (text: string): boolean => text.length <= OWN_KEY_MAX && /^\/[!-~]*$/.test(text)

export class SiteKey {
  /** The site's name and a space where its answers stand in a store that several sites share; else empty. */
  readonly prefix: string
  readonly #query: QueryRule | undefined
  readonly #parts: readonly KeyPart[]

  constructor(config: CacheKeyConfig, sharedAs?: string) {
    this.prefix = sharedAs === undefined ? '' : `${sharedAs} `
    this.#query = compileQuery(config)
    this.#parts = [
      ...config.headers.map(headerPart),
      ...config.cookies.map(cookiePart),
      ...(config.device ? [(headers: HeaderList) => ` d:${deviceOf(headers)}`] : []),
    ]
  }

  /** The key of a request. `mark`: of new versions that its client has; `own`: what a unit said (see `isOwnKey`). */
  of(client: KeyedClient, request: KeyedRequest, mark: string, own: string | undefined): string {
    let key = this.prefix + client.keyPrefix + canonicalAuthority(request, client.scheme)
    if (own === undefined) {
      key += this.targetOf(request.target)
      for (const part of this.#parts) key += part(request.headers)
    } else key += `${own} u`
    if (client.keySuffix !== '') key += client.keySuffix
    return mark === '' ? key : `${key} ${mark}`
  }

  /** What all keys of this target begin with, up to their end or a space. */
  plainOf(client: KeyedClient, request: AskedHost, target: string): string {
    return this.prefix + client.keyPrefix + canonicalAuthority(request, client.scheme) + this.targetOf(target)
  }

  /** The target with the query as the key has it: what the origin is asked for. */
  targetOf(target: string): string {
    return this.#query === undefined ? target : this.#query(target)
  }

  /** The part of one of its keys that a purge of a URL names. */
  plainPartOf(key: string): string {
    const end = key.indexOf(' ', this.prefix.length)
    return end < 0 ? key : key.slice(0, end)
  }

  /**
   * The URLs in keys (without the name of a site) that one means, as a person writes it (`HTTPS://Example.com:443/ü?utm_source=x`): one, or two where the
   * configuration leaves out some of its query, since a unit's key has it whole. Undefined where it is no URL with http or https.
   */
  purgeKeysOf(url: string): readonly string[] | undefined {
    const asked = parseAskedUrl(url)
    if (asked === undefined) return undefined
    const { target } = asked
    return [...new Set([this.targetOf(target), target])].map((one) => baseOf(asked) + one)
  }
}

/** A URL as the request that it stands for: a target in origin form, whose bytes no parser has touched. */
export interface AskedUrl extends AskedHost {
  readonly scheme: 'http' | 'https'
  readonly target: string
}

/** Undefined where it is none with http or https. What no target may hold is percent-encoded, as clients do it. */
export function parseAskedUrl(url: string): AskedUrl | undefined {
  const [, scheme = '', named = '', rest = ''] = /^(https?):\/\/([^/?#]+)([^#]*)/i.exec(url.trim()) ?? []
  const asked = parseAuthority(named)
  if (asked === undefined || asked.host === '') return undefined
  const target = visible(rest.startsWith('/') ? rest : `/${rest}`)
  return { ...asked, scheme: scheme.toLowerCase() === 'https' ? 'https' : 'http', target }
}

/** What all keys of its host begin with. */
const baseOf = (asked: AskedUrl): string => `${asked.scheme}://${canonicalAuthority(asked, asked.scheme)}`

/** As URLs are written: a space and whatever is not ASCII as the percent-encoding of its UTF-8. */
export const visible = (text: string): string =>
  text.toWellFormed().replaceAll(/[^!-~]+/g, (piece) => encodeURIComponent(piece))
