/**
 * The global names of a unit, besides those of ECMAScript: a part of the web's, and nothing else. There is no DOM, no
 * Node, and no `WebAssembly`, `SharedArrayBuffer`, `Atomics` or `FinalizationRegistry`.
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

type BodyInit = string | BufferSource | URLSearchParams | Blob | FormData | ReadableStream<Uint8Array>

/** What requests and responses share: a body that is read once. */
interface Body {
  /** Handed to another `Response` or `Request` unread, its content goes over as it is. */
  readonly body: ReadableStream<Uint8Array<ArrayBuffer>> | null
  readonly bodyUsed: boolean
  text(): Promise<string>
  json(): Promise<any>
  arrayBuffer(): Promise<ArrayBuffer>
  bytes(): Promise<Uint8Array<ArrayBuffer>>
  blob(): Promise<Blob>
  /** Of `multipart/form-data` and `application/x-www-form-urlencoded`. Rejects with a `TypeError` where the body is no form. */
  formData(): Promise<FormData>
}

interface ResponseInit {
  /** 200 to 599. Default 200. */
  status?: number
  /** HTTP/1.1 clients do not look at it, and later versions do not send it. */
  statusText?: string
  headers?: HeadersInit
}

/** An answer. */
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
  signal?: AbortSignal | null
  /** `follow` (default), `manual` (the answer that redirects is what comes), or `error`. */
  redirect?: 'follow' | 'manual' | 'error'
  /** As browsers want it for a body that is a stream; without effect here. */
  duplex?: 'half'
}

/** A request as `fetch` handlers get it. */
interface Request extends Body {
  readonly method: string
  readonly url: string
  readonly headers: Headers
  readonly signal: AbortSignal
  readonly redirect: 'follow' | 'manual' | 'error'
  clone(): Request
}
declare var Request: {
  prototype: Request
  /** An absolute URL, or another request, whose body is taken over. */
  new (input: string | URL | Request, init?: RequestInit): Request
}

/**
 * Asks another server, over the worker's connections. Rejects with a `TypeError` where no answer came; its `code` says why: a
 * private address (`fetch-private`), a budget that is used up (`fetch-budget`), an origin that does not answer (`origin-…`).
 *
 * Resolves when the head of the answer is there. The body comes as it is read, and is cut where it breaks off or `signal` is aborted; one that is
 * returned unread goes to the client without passing the unit, and counts for no budget. A body that is sent is gathered first.
 */
declare function fetch(input: string | URL | Request, init?: RequestInit): Promise<Response>

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

/** A secret for HMAC, or a public key. */
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
  /** Of public keys. */
  kid?: string
  use?: string
  crv?: string
  n?: string
  e?: string
  x?: string
  y?: string
  alg?: string
  ext?: boolean
  key_ops?: readonly string[]
}

/** Keys to verify with: RSA, where the key says its hash; ECDSA; Ed25519. */
type PublicKeyAlgorithm =
  | { name: 'RSASSA-PKCS1-v1_5' | 'RSA-PSS'; hash: HashName | { name: HashName } }
  | { name: 'ECDSA'; namedCurve: 'P-256' | 'P-384' | 'P-521' }
  | 'Ed25519'
  | { name: 'Ed25519' }

type VerifyAlgorithm =
  | 'RSASSA-PKCS1-v1_5'
  | { name: 'RSASSA-PKCS1-v1_5' }
  | { name: 'RSA-PSS'; saltLength: number }
  | { name: 'ECDSA'; hash: HashName | { name: HashName } }
  | 'Ed25519'
  | { name: 'Ed25519' }

/** Digests and HMAC; and `verify` with public keys, which leaves the isolate and so is for requests that are under way. */
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
  importKey(
    format: 'spki',
    data: BufferSource,
    algorithm: PublicKeyAlgorithm,
    extractable: boolean,
    usages: readonly 'verify'[],
  ): Promise<CryptoKey>
  importKey(
    format: 'jwk',
    data: JsonWebKey,
    algorithm: PublicKeyAlgorithm,
    extractable: boolean,
    usages: readonly 'verify'[],
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
  verify(
    algorithm: VerifyAlgorithm,
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

interface EventInit {
  bubbles?: boolean
  cancelable?: boolean
  composed?: boolean
}

/** Something that happened. There is no tree here: no capture, and nothing bubbles. */
interface Event {
  readonly type: string
  readonly target: EventTarget | null
  readonly currentTarget: EventTarget | null
  readonly bubbles: boolean
  readonly cancelable: boolean
  readonly composed: boolean
  readonly defaultPrevented: boolean
  readonly timeStamp: number
  preventDefault(): void
  stopPropagation(): void
  stopImmediatePropagation(): void
}
declare var Event: {
  prototype: Event
  new (type: string, init?: EventInit): Event
}

type EventListener = ((event: Event) => unknown) | { handleEvent(event: Event): unknown }

interface EventTarget {
  addEventListener(
    type: string,
    listener: EventListener | null,
    options?: boolean | { once?: boolean; capture?: boolean; passive?: boolean; signal?: AbortSignal },
  ): void
  removeEventListener(type: string, listener: EventListener | null, options?: boolean | object): void
  /** False where a listener called `preventDefault`. What listeners throw is logged. */
  dispatchEvent(event: Event): boolean
}
declare var EventTarget: {
  prototype: EventTarget
  new (): EventTarget
}

/** Tells work that awaits to stop. */
interface AbortSignal extends EventTarget {
  readonly aborted: boolean
  readonly reason: any
  onabort: ((event: Event) => unknown) | null
  throwIfAborted(): void
}
declare var AbortSignal: {
  prototype: AbortSignal
  /** One that is aborted already. */
  abort(reason?: unknown): AbortSignal
  /** Aborted after so many milliseconds, with a `TimeoutError`. */
  timeout(ms: number): AbortSignal
  /** Aborted with the first of these. */
  any(signals: Iterable<AbortSignal>): AbortSignal
}

interface AbortController {
  readonly signal: AbortSignal
  abort(reason?: unknown): void
}
declare var AbortController: {
  prototype: AbortController
  new (): AbortController
}

type BlobPart = string | BufferSource | Blob

interface BlobInit {
  type?: string
  endings?: 'transparent' | 'native'
}

/** Bytes with a type, which do not change. */
interface Blob {
  readonly size: number
  readonly type: string
  slice(start?: number, end?: number, type?: string): Blob
  text(): Promise<string>
  bytes(): Promise<Uint8Array<ArrayBuffer>>
  arrayBuffer(): Promise<ArrayBuffer>
  stream(): ReadableStream<Uint8Array<ArrayBuffer>>
}
declare var Blob: {
  prototype: Blob
  new (parts?: Iterable<BlobPart>, init?: BlobInit): Blob
}

/** A blob with a name. */
interface File extends Blob {
  readonly name: string
  /** Milliseconds since 1970. */
  readonly lastModified: number
}
declare var File: {
  prototype: File
  new (parts: Iterable<BlobPart>, name: string, init?: BlobInit & { lastModified?: number }): File
}

/** What a form brings: names with texts or files, in order. */
interface FormData {
  append(name: string, value: string | Blob, filename?: string): void
  set(name: string, value: string | Blob, filename?: string): void
  get(name: string): string | File | null
  getAll(name: string): (string | File)[]
  has(name: string): boolean
  delete(name: string): void
  forEach(each: (value: string | File, name: string, form: FormData) => void, thisArg?: unknown): void
  keys(): IteratorObject<string>
  values(): IteratorObject<string | File>
  entries(): IteratorObject<[name: string, value: string | File]>
  [Symbol.iterator](): IteratorObject<[name: string, value: string | File]>
}
declare var FormData: {
  prototype: FormData
  new (): FormData
}

interface QueuingStrategy<T = any> {
  highWaterMark?: number
  size?: (chunk: T) => number
}
declare var CountQueuingStrategy: { new (init: { highWaterMark: number }): QueuingStrategy }
declare var ByteLengthQueuingStrategy: {
  new (init: { highWaterMark: number }): QueuingStrategy<ArrayBufferView>
}

interface StreamPipeOptions {
  preventClose?: boolean
  preventAbort?: boolean
  preventCancel?: boolean
  signal?: AbortSignal
}

interface ReadableStreamDefaultController<T = any> {
  readonly desiredSize: number | null
  enqueue(chunk?: T): void
  close(): void
  error(reason?: unknown): void
}

interface UnderlyingSource<T = any> {
  start?(controller: ReadableStreamDefaultController<T>): unknown
  pull?(controller: ReadableStreamDefaultController<T>): unknown
  cancel?(reason?: unknown): unknown
}

interface ReadableByteStreamController {
  readonly desiredSize: number | null
  readonly byobRequest: { readonly view: Uint8Array | null; respond(bytes: number): void } | null
  enqueue(chunk: ArrayBufferView): void
  close(): void
  error(reason?: unknown): void
}

interface UnderlyingByteSource {
  type: 'bytes'
  autoAllocateChunkSize?: number
  start?(controller: ReadableByteStreamController): unknown
  pull?(controller: ReadableByteStreamController): unknown
  cancel?(reason?: unknown): unknown
}

type ReadResult<T> =
  | { readonly done: false; readonly value: T }
  | { readonly done: true; readonly value: undefined }

interface ReadableStreamDefaultReader<T = any> {
  readonly closed: Promise<void>
  read(): Promise<ReadResult<T>>
  cancel(reason?: unknown): Promise<void>
  releaseLock(): void
}

/** Pieces that come one after the other. */
interface ReadableStream<T = any> extends AsyncIterable<T> {
  readonly locked: boolean
  cancel(reason?: unknown): Promise<void>
  getReader(): ReadableStreamDefaultReader<T>
  pipeThrough<Out>(
    transform: { readonly writable: WritableStream<T>; readonly readable: ReadableStream<Out> },
    options?: StreamPipeOptions,
  ): ReadableStream<Out>
  pipeTo(into: WritableStream<T>, options?: StreamPipeOptions): Promise<void>
  tee(): [ReadableStream<T>, ReadableStream<T>]
  values(options?: { preventCancel?: boolean }): AsyncIterableIterator<T>
}
declare var ReadableStream: {
  prototype: ReadableStream
  new (source: UnderlyingByteSource, strategy?: QueuingStrategy): ReadableStream<Uint8Array<ArrayBuffer>>
  new <T = any>(source?: UnderlyingSource<T>, strategy?: QueuingStrategy<T>): ReadableStream<T>
  from<T>(pieces: Iterable<T> | AsyncIterable<T>): ReadableStream<T>
}

interface WritableStreamDefaultWriter<T = any> {
  readonly closed: Promise<void>
  readonly ready: Promise<void>
  readonly desiredSize: number | null
  write(chunk?: T): Promise<void>
  close(): Promise<void>
  abort(reason?: unknown): Promise<void>
  releaseLock(): void
}

interface UnderlyingSink<T = any> {
  start?(controller: { error(reason?: unknown): void }): unknown
  write?(chunk: T, controller: { error(reason?: unknown): void }): unknown
  close?(): unknown
  abort?(reason?: unknown): unknown
}

/** Where pieces go. */
interface WritableStream<T = any> {
  readonly locked: boolean
  getWriter(): WritableStreamDefaultWriter<T>
  close(): Promise<void>
  abort(reason?: unknown): Promise<void>
}
declare var WritableStream: {
  prototype: WritableStream
  new <T = any>(sink?: UnderlyingSink<T>, strategy?: QueuingStrategy<T>): WritableStream<T>
}

interface TransformStreamDefaultController<Out = any> {
  readonly desiredSize: number | null
  enqueue(chunk?: Out): void
  error(reason?: unknown): void
  terminate(): void
}

interface Transformer<In = any, Out = any> {
  start?(controller: TransformStreamDefaultController<Out>): unknown
  transform?(chunk: In, controller: TransformStreamDefaultController<Out>): unknown
  flush?(controller: TransformStreamDefaultController<Out>): unknown
}

/** What is written goes in at one end and comes out changed at the other. */
interface TransformStream<In = any, Out = any> {
  readonly writable: WritableStream<In>
  readonly readable: ReadableStream<Out>
}
declare var TransformStream: {
  prototype: TransformStream
  new <In = any, Out = any>(
    transformer?: Transformer<In, Out>,
    writableStrategy?: QueuingStrategy<In>,
    readableStrategy?: QueuingStrategy<Out>,
  ): TransformStream<In, Out>
}

/** Text to UTF-8, piece by piece. */
interface TextEncoderStream extends TransformStream<string, Uint8Array<ArrayBuffer>> {
  readonly encoding: string
}
declare var TextEncoderStream: {
  prototype: TextEncoderStream
  new (): TextEncoderStream
}

/** Bytes to text, piece by piece: a character may begin in one and end in the next. */
interface TextDecoderStream extends TransformStream<Uint8Array, string> {
  readonly encoding: string
  readonly fatal: boolean
  readonly ignoreBOM: boolean
}
declare var TextDecoderStream: {
  prototype: TextDecoderStream
  new (label?: string, options?: TextDecoderOptions): TextDecoderStream
}

interface URLPatternInit {
  protocol?: string
  username?: string
  password?: string
  hostname?: string
  port?: string
  pathname?: string
  search?: string
  hash?: string
  baseURL?: string
}

interface URLPatternComponentResult {
  readonly input: string
  readonly groups: Readonly<Record<string, string | undefined>>
}

interface URLPatternResult {
  readonly inputs: readonly (string | URLPatternInit)[]
  readonly protocol: URLPatternComponentResult
  readonly username: URLPatternComponentResult
  readonly password: URLPatternComponentResult
  readonly hostname: URLPatternComponentResult
  readonly port: URLPatternComponentResult
  readonly pathname: URLPatternComponentResult
  readonly search: URLPatternComponentResult
  readonly hash: URLPatternComponentResult
}

/** Matches URLs by part: `new URLPattern({ pathname: '/videos/:id' })`. */
interface URLPattern {
  readonly protocol: string
  readonly username: string
  readonly password: string
  readonly hostname: string
  readonly port: string
  readonly pathname: string
  readonly search: string
  readonly hash: string
  readonly hasRegExpGroups: boolean
  test(input?: string | URL | URLPatternInit, base?: string | URL): boolean
  exec(input?: string | URL | URLPatternInit, base?: string | URL): URLPatternResult | null
}
declare var URLPattern: {
  prototype: URLPattern
  new (
    input?: string | URLPatternInit,
    base?: string | { ignoreCase?: boolean },
    options?: { ignoreCase?: boolean },
  ): URLPattern
}
