/**
 * The global names of a unit, besides those of ECMAScript: a part of the web's, and nothing else. There is no DOM, no
 * Node, no `fetch`, no streams, and no `WebAssembly`, `SharedArrayBuffer`, `Atomics` or `FinalizationRegistry`.
 */

/** What `new Headers(…)` and the `headers` of requests and responses take. */
type HeadersInit = Headers | Record<string, string> | Iterable<readonly [name: string, value: string]>

/**
 * Headers of a request or response. Names are looked up without regard to case; walking over them gives names in lower
 * case, sorted, each once with its values joined by `, `, but every `set-cookie` on its own.
 *
 * Setting a name or value that cannot stand in HTTP throws a `TypeError`.
 */
interface Headers {
  append(name: string, value: string): void
  set(name: string, value: string): void
  /** All values of that name, joined by `, `. */
  get(name: string): string | null
  has(name: string): boolean
  delete(name: string): void
  getSetCookie(): string[]
  forEach(each: (value: string, name: string, headers: Headers) => void, thisArg?: unknown): void
  keys(): IteratorObject<string>
  values(): IteratorObject<string>
  entries(): IteratorObject<[name: string, value: string]>
  [Symbol.iterator](): IteratorObject<[name: string, value: string]>
}
declare var Headers: {
  prototype: Headers
  new (init?: HeadersInit): Headers
}

/** A buffer, or a view of a part of one. */
type BufferSource = ArrayBuffer | ArrayBufferView<ArrayBuffer>

/** The content of a body that was not read. It is no stream: it can be given to one `Response` or `Request`, no more. */
interface BodyContent {
  readonly [Symbol.toStringTag]: string
}

type BodyInit = string | BufferSource | URLSearchParams | BodyContent

/** What requests and responses share: a body that is read once, whole. */
interface Body {
  readonly body: BodyContent | null
  readonly bodyUsed: boolean
  text(): Promise<string>
  json(): Promise<any>
  arrayBuffer(): Promise<ArrayBuffer>
  bytes(): Promise<Uint8Array<ArrayBuffer>>
}

interface ResponseInit {
  /** 200 to 599. Default 200. */
  status?: number
  /** HTTP/1.1 clients do not look at it, and later versions do not send it. */
  statusText?: string
  headers?: HeadersInit
}

/** An answer. Its body is buffered. */
interface Response extends Body {
  readonly status: number
  readonly statusText: string
  /** Is the status one from 200 to 299? */
  readonly ok: boolean
  readonly headers: Headers
  readonly type: 'default' | 'error'
  readonly url: string
  readonly redirected: boolean
  clone(): Response
}
declare var Response: {
  prototype: Response
  new (body?: BodyInit | null, init?: ResponseInit): Response
  /** The data as JSON, with its content type. */
  json(data: unknown, init?: ResponseInit): Response
  /** Status 301, 302 (default), 303, 307 or 308. A URL that is not absolute is sent as it is. */
  redirect(url: string | URL, status?: number): Response
  error(): Response
}

interface RequestInit {
  method?: string
  headers?: HeadersInit
  body?: BodyInit | null
}

/** A request as `fetch` handlers get it. Its body is buffered. */
interface Request extends Body {
  readonly method: string
  readonly url: string
  readonly headers: Headers
  clone(): Request
}
declare var Request: {
  prototype: Request
  /** An absolute URL, or another request, whose body is taken over. */
  new (input: string | URL | Request, init?: RequestInit): Request
}

/** A URL, parsed as browsers do. Hosts outside ASCII are written in punycode. */
interface URL {
  href: string
  readonly origin: string
  protocol: string
  username: string
  password: string
  host: string
  hostname: string
  port: string
  pathname: string
  search: string
  hash: string
  readonly searchParams: URLSearchParams
  toString(): string
  toJSON(): string
}
declare var URL: {
  prototype: URL
  new (url: string | URL, base?: string | URL): URL
  canParse(url: string | URL, base?: string | URL): boolean
  parse(url: string | URL, base?: string | URL): URL | null
}

/** The arguments of a query, decoded. */
interface URLSearchParams {
  readonly size: number
  append(name: string, value: string): void
  set(name: string, value: string): void
  /** The first value of that name. */
  get(name: string): string | null
  getAll(name: string): string[]
  has(name: string, value?: string): boolean
  delete(name: string, value?: string): void
  sort(): void
  forEach(each: (value: string, name: string, params: URLSearchParams) => void, thisArg?: unknown): void
  keys(): IteratorObject<string>
  values(): IteratorObject<string>
  entries(): IteratorObject<[name: string, value: string]>
  [Symbol.iterator](): IteratorObject<[name: string, value: string]>
  toString(): string
}
declare var URLSearchParams: {
  prototype: URLSearchParams
  new (
    init?:
      | string
      | URLSearchParams
      | Record<string, string>
      | Iterable<readonly [name: string, value: string]>,
  ): URLSearchParams
}

/** Text to UTF-8. */
interface TextEncoder {
  readonly encoding: string
  encode(text?: string): Uint8Array<ArrayBuffer>
  encodeInto(text: string, into: Uint8Array): { read: number; written: number }
}
declare var TextEncoder: {
  prototype: TextEncoder
  new (): TextEncoder
}

interface TextDecoderOptions {
  /** Throw a `TypeError` at bytes that are no text, instead of putting U+FFFD. */
  fatal?: boolean
  /** Keep a byte order mark. */
  ignoreBOM?: boolean
}

/** Bytes to text. Knows `utf-8` and `latin1` (which is windows-1252, as on the web). */
interface TextDecoder {
  readonly encoding: string
  readonly fatal: boolean
  readonly ignoreBOM: boolean
  decode(bytes?: BufferSource, options?: { stream?: boolean }): string
}
declare var TextDecoder: {
  prototype: TextDecoder
  new (label?: string, options?: TextDecoderOptions): TextDecoder
}

/** Base64 of text whose characters are bytes (up to U+00FF). */
declare function btoa(data: string): string
/** Text whose characters are the bytes of a base64 text. */
declare function atob(data: string): string

/** A copy of plain data, maps, sets, dates, regular expressions, errors and buffers. */
declare function structuredClone<T>(value: T): T

/** The unit's log: `orla tail` shows its lines. Lines of `edge.log` also say which request they belong to, after an `await` too. */
interface Console {
  debug(...values: readonly unknown[]): void
  log(...values: readonly unknown[]): void
  info(...values: readonly unknown[]): void
  warn(...values: readonly unknown[]): void
  error(...values: readonly unknown[]): void
  trace(...values: readonly unknown[]): void
  dir(value: unknown): void
  assert(holds: unknown, ...values: readonly unknown[]): void
}
declare var console: Console

/** Calls back after so many milliseconds. At most 1000 timers of a unit wait at a time. */
declare function setTimeout(callback: (nothing: void) => unknown, ms?: number): number
declare function setTimeout<Args extends readonly unknown[]>(
  callback: (...args: Args) => unknown,
  ms?: number,
  ...args: Args
): number
/** Calls back every so many milliseconds, while the unit's isolate is kept. */
declare function setInterval(callback: (nothing: void) => unknown, ms?: number): number
declare function setInterval<Args extends readonly unknown[]>(
  callback: (...args: Args) => unknown,
  ms?: number,
  ...args: Args
): number
declare function clearTimeout(timer: number | undefined): void
declare function clearInterval(timer: number | undefined): void
declare function queueMicrotask(callback: () => void): void

/** Time in whole milliseconds: finer clocks could be used to measure others. */
declare var performance: { now(): number; readonly timeOrigin: number }

/** An error of the web's interfaces, known by its `name`. */
interface DOMException extends Error {
  readonly code: number
}
declare var DOMException: {
  prototype: DOMException
  new (message?: string, name?: string): DOMException
}

type HashName = 'SHA-1' | 'SHA-256' | 'SHA-384' | 'SHA-512'

/** A secret for HMAC. */
interface CryptoKey {
  readonly type: string
  readonly extractable: boolean
  readonly algorithm: object
  readonly usages: readonly string[]
}
declare var CryptoKey: {
  prototype: CryptoKey
}

interface HmacAlgorithm {
  name: 'HMAC'
  hash: HashName | { name: HashName }
  /** In bits, for `generateKey`. */
  length?: number
}

interface JsonWebKey {
  kty?: string
  /** The secret, in base64url. */
  k?: string
  alg?: string
  ext?: boolean
  key_ops?: readonly string[]
}

/** Digests and HMAC. */
interface SubtleCrypto {
  digest(algorithm: HashName | { name: HashName }, data: BufferSource): Promise<ArrayBuffer>
  importKey(
    format: 'raw',
    data: BufferSource,
    algorithm: HmacAlgorithm,
    extractable: boolean,
    usages: readonly ('sign' | 'verify')[],
  ): Promise<CryptoKey>
  importKey(
    format: 'jwk',
    data: JsonWebKey,
    algorithm: HmacAlgorithm,
    extractable: boolean,
    usages: readonly ('sign' | 'verify')[],
  ): Promise<CryptoKey>
  generateKey(
    algorithm: HmacAlgorithm,
    extractable: boolean,
    usages: readonly ('sign' | 'verify')[],
  ): Promise<CryptoKey>
  exportKey(format: 'raw', key: CryptoKey): Promise<ArrayBuffer>
  exportKey(format: 'jwk', key: CryptoKey): Promise<JsonWebKey>
  sign(algorithm: 'HMAC' | { name: 'HMAC' }, key: CryptoKey, data: BufferSource): Promise<ArrayBuffer>
  /** Takes the same time wherever the signatures differ. */
  verify(
    algorithm: 'HMAC' | { name: 'HMAC' },
    key: CryptoKey,
    signature: BufferSource,
    data: BufferSource,
  ): Promise<boolean>
}
declare var SubtleCrypto: {
  prototype: SubtleCrypto
}

interface Crypto {
  readonly subtle: SubtleCrypto
  /** Fills an array of whole numbers, 65536 bytes at most. */
  getRandomValues<T extends ArrayBufferView<ArrayBuffer>>(into: T): T
  randomUUID(): `${string}-${string}-${string}-${string}-${string}`
}
declare var Crypto: {
  prototype: Crypto
}
declare var crypto: Crypto

/** The global object. */
declare var self: typeof globalThis
