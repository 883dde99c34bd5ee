/**
 * What a site compresses, and how: by content type and length, at a level.
 *
 * A stored response is compressed once for each coding that clients ask for; what comes out stands beside it in the cache, counts for
 * its weight, and goes when it goes. See `caching/encodings.ts`.
 */
import {
  brotliCompress,
  brotliCompressSync,
  constants,
  createBrotliCompress,
  createGzip,
  createZstdCompress,
  gzip,
  gzipSync,
  zstdCompress,
  zstdCompressSync,
} from 'node:zlib'
import type { SiteConfig } from '../../config/schema.ts'
import { headerValue, headerValues, type HeaderList } from '../../wire/http1/message.ts'
import { parseCacheControl } from '../caching/cache-control.ts'
import type { ResponseCache } from '../caching/response-cache.ts'
import { StoredBody } from '../caching/stored-body.ts'
import type { StoredResponse } from '../caching/stored-response.ts'
import { responseControl } from '../caching/targeted-control.ts'
import { negotiate, type Coding, type Wanted } from './accept-encoding.ts'
import { CodingLink } from './coding-link.ts'
import type { CodingStream } from './codings.ts'
import { encodedHeaders, variedHeaders } from './head-edits.ts'

export type CompressConfig = NonNullable<SiteConfig['compress']>

/** Up to this a body is compressed on the spot; above it, on another thread. */
export const ON_THE_SPOT_MAX = 16 * 1024

const GZIP_LEVEL = 5
const BROTLI_LEVEL = 4
const ZSTD_LEVEL = 3

export class Compression {
  readonly algorithms: readonly Coding[]
  private readonly minBytes: number
  private readonly exact: ReadonlySet<string>
  /** `text/` for `text/*`. */
  private readonly prefixes: readonly string[]
  private readonly gzip: { readonly level: number }
  private readonly brotli: { readonly params: Readonly<Record<number, number>> }
  private readonly zstd: { readonly params: Readonly<Record<number, number>> }

  constructor({ types, minBytes, algorithms, level }: CompressConfig) {
    this.algorithms = algorithms
    this.minBytes = minBytes
    this.exact = new Set(types.filter((type) => !type.endsWith('*')))
    this.prefixes = types.filter((type) => type.endsWith('*')).map((type) => type.slice(0, -1))
    this.gzip = { level: Math.min(level ?? GZIP_LEVEL, 9) }
    this.brotli = { params: { [constants.BROTLI_PARAM_QUALITY]: Math.min(level ?? BROTLI_LEVEL, 11) } }
    this.zstd = { params: { [constants.ZSTD_c_compressionLevel]: level ?? ZSTD_LEVEL } }
  }

  /** How this client is answered. */
  wanted(acceptEncoding: string | undefined): Wanted {
    return negotiate(acceptEncoding, this.algorithms)
  }

  /**
   * Whether an answer may be compressed for whoever wants that: then it varies. Not what is encoded already, a part of something, or
   * not to be touched (`no-transform`). `bytes` is its length, where it is known. Names of headers are in lower case.
   */
  isFor(status: number, headers: HeaderList, bytes: number | undefined, wanted: Wanted): boolean {
    if (status === 206 || headerValue(headers, 'content-range') !== undefined) return false
    if (bytes !== undefined && bytes < (wanted.refusesPlain ? 1 : this.minBytes)) return false
    if ((headerValue(headers, 'content-encoding') ?? 'identity').toLowerCase() !== 'identity') return false
    const type = headerValue(headers, 'content-type')
    if (type === undefined || !this.isType(type)) return false
    // It is for all on the way, whatever they are told of caching (RFC 9111 §5.2.2.6).
    return !forbidsTransforming(headers) && !responseControl(headers).noTransform
  }

  private isType(field: string): boolean {
    const semicolon = field.indexOf(';')
    const type = (semicolon < 0 ? field : field.slice(0, semicolon)).trim().toLowerCase()
    if (this.exact.has(type)) return true
    // Events are small and want to be at once: only who names them has them compressed.
    return type !== 'text/event-stream' && this.prefixes.some((prefix) => type.startsWith(prefix))
  }

  /** `isLive`: pieces leave as they come. */
  link(coding: Coding, isLive: boolean): CodingLink {
    switch (coding) {
      case 'gzip':
        return new CodingLink(createGzip(this.gzip), isLive ? constants.Z_SYNC_FLUSH : undefined)
      case 'br':
        return new CodingLink(
          createBrotliCompress(this.brotli),
          isLive ? constants.BROTLI_OPERATION_FLUSH : undefined,
        )
      case 'zstd':
        return new CodingLink(
          createZstdCompress(this.zstd) as CodingStream,
          isLive ? constants.ZSTD_e_flush : undefined,
        )
    }
  }

  /** For a short body. */
  encodeNow(coding: Coding, body: Buffer): Buffer {
    switch (coding) {
      case 'gzip':
        return gzipSync(body, this.gzip)
      case 'br':
        return brotliCompressSync(body, this.brotli)
      case 'zstd':
        return zstdCompressSync(body, this.zstd)
    }
  }

  private encode(coding: Coding, body: Buffer, done: (error: Error | null, encoded: Buffer) => void): void {
    switch (coding) {
      case 'gzip':
        gzip(body, this.gzip, done)
        break
      case 'br':
        brotliCompress(body, this.brotli, done)
        break
      case 'zstd':
        zstdCompress(body, this.zstd, done)
        break
    }
  }

  /**
   * A stored response as this client is to have it; itself where that makes no difference. `then` is called at once where it is at
   * hand; those who ask while it is being compressed wait together.
   */
  viewFor(
    entry: StoredResponse,
    cache: ResponseCache,
    acceptEncoding: string | undefined,
    then: (view: StoredResponse) => void,
  ): void {
    const wanted = this.wanted(acceptEncoding)
    const { encodings } = entry
    const isFor = wanted.refusesPlain
      ? this.isFor(entry.status, entry.headers, entry.body.length, wanted)
      : (encodings.isFor ??= this.isFor(entry.status, entry.headers, entry.body.length, wanted))
    if (!isFor) {
      then(entry)
      return
    }
    const { coding } = wanted
    const view = encodings.views.get(coding)
    if (view !== undefined) {
      then(view)
    } else if (coding === undefined) {
      const plain = entry.withBody(variedHeaders(entry.headers), entry.body)
      encodings.views.set(coding, plain)
      then(plain)
    } else {
      this.bodyFor(entry, cache, coding, (body) => {
        let made = encodings.views.get(coding)
        if (made === undefined) {
          made = entry.withBody(encodedHeaders(variedHeaders(entry.headers), coding), body)
          encodings.views.set(coding, made)
        }
        then(made)
      })
    }
  }

  /** The body of a stored response in this coding, compressed when it is first asked for. */
  bodyFor(
    entry: StoredResponse,
    cache: ResponseCache,
    coding: Coding,
    then: (body: StoredBody) => void,
  ): void {
    const { bodies, waiting } = entry.encodings
    const body = bodies.get(coding)
    if (body !== undefined) {
      then(body)
      return
    }
    const others = waiting.get(coding)
    if (others !== undefined) {
      others.push(then)
      return
    }
    const keep = (encoded: Buffer): StoredBody => {
      const made = new StoredBody(encoded)
      bodies.set(coding, made)
      if (!cache.reweigh(entry)) bodies.delete(coding)
      return made
    }
    if (entry.body.length <= ON_THE_SPOT_MAX) {
      then(keep(this.encodeNow(coding, entry.body.bytes)))
      return
    }
    const all = [then]
    waiting.set(coding, all)
    this.encode(coding, entry.body.bytes, (error, encoded) => {
      waiting.delete(coding)
      // What is at hand cannot be broken: zlib fails here for want of memory alone.
      if (error !== null) throw error
      const made = keep(encoded)
      for (const one of all) one(made)
    })
  }
}

const forbidsTransforming = (headers: HeaderList): boolean =>
  parseCacheControl(headerValues(headers, 'cache-control')).noTransform

/** The codings that a request may be given: none but the origin's where it asks for `no-transform` (RFC 9111 §5.2.1.6). */
export const codingsFor = (request: HeaderList): string | undefined =>
  forbidsTransforming(request) ? 'identity' : headerValues(request, 'accept-encoding')
