/**
 * What a handler is given: `request`, `response` and `edge`.
 *
 * Thin on purpose: made for every run, and most of them are asked one question. What may be changed in which phase is
 * decided in `Invocation`, so it holds however the unit got at an object.
 */
import type { InvocationMeta } from '../protocol.ts'
import { goOnInBackground } from './background.ts'
import type { Blob } from './blob.ts'
import { Body, BYTES_BODY, cloneBody, RawBody, readBytes, readText } from './body.ts'
import { tagsOf, tagsText } from './cache-tags.ts'
import { Cookies } from './cookies.ts'
import type { FormData } from './form-data.ts'
import { deleteHeader, getHeader, HeaderStore, setHeader } from './header-store.ts'
import { fillHeaders, type Headers, headersOver } from './headers.ts'
import { checkMaker, FROM_GUEST } from './illegal-constructor.ts'
import type { Invocation } from './invocation.ts'
import { EdgeCache, Kv } from './kv.ts'
import { ban, Limit } from './limit.ts'
import { logFunction, type LogFunction } from './logging.ts'
import { freeze, parseJson, toStringTagSymbol, viewBuffer } from './primordials.ts'
import { purge } from './purge.ts'
import { redisClient } from './redis.ts'
import { ReceivedRequest, Request } from './request.ts'
import type { URLSearchParams } from './search-params.ts'
import { setup } from './setup.ts'
import type { ByteStream } from './streams.ts'

/** The body that came, under the type that its headers name. */
class ReceivedBody extends Body {
  readonly #run: Invocation

  constructor(run: Invocation) {
    super(run.body === '' ? null : new RawBody(run.body, BYTES_BODY))
    this.#run = run
  }

  protected override contentType(): string | null {
    return getHeader(this.#run.requestHeaders, 'content-type')
  }
}

export class UnitRequest {
  readonly #run: Invocation
  #headers: Headers | null = null
  #cookies: Cookies | null = null
  #body: Body | null = null

  constructor(maker: unknown, run: Invocation) {
    checkMaker(maker)
    this.#run = run
  }

  get method(): string {
    return this.#run.method
  }

  set method(method: string) {
    this.#run.method = method
  }

  get path(): string {
    return this.#run.path
  }

  set path(path: string) {
    this.#run.path = path
  }

  get query(): URLSearchParams {
    return this.#run.query
  }

  set query(query: URLSearchParams | string) {
    this.#run.query = query
  }

  get host(): string {
    return this.#run.host
  }

  get url(): string {
    return this.#run.url
  }

  get headers(): Headers {
    return (this.#headers ??= headersOver(this.#run.requestHeaders))
  }

  get cookies(): Cookies {
    return (this.#cookies ??= new Cookies(FROM_GUEST, this.#run.requestHeaders))
  }

  /** From `originResponse` on: what the cache did. */
  get cache(): NonNullable<InvocationMeta['cache']> | undefined {
    return this.#run.response === '' ? undefined : freeze(this.#run.metaJson.cache ?? { status: 'none' })
  }

  /** In `origin`: who will be asked. */
  get endpoint(): string | undefined {
    return this.#run.endpoint
  }

  set endpoint(endpoint: string | undefined) {
    this.#run.endpoint = endpoint
  }

  /** In `origin`: the URLs of the endpoints that there are. */
  get endpoints(): readonly string[] {
    return freeze(this.#run.metaJson.endpoints ?? [])
  }

  get bodyUsed(): boolean {
    return this.#body !== null && this.#body.bodyUsed
  }

  async text(): Promise<string> {
    return readText(this.#readable())
  }

  async json(): Promise<unknown> {
    return parseJson(readText(this.#readable()))
  }

  async bytes(): Promise<Uint8Array<ArrayBuffer>> {
    return readBytes(this.#readable())
  }

  async arrayBuffer(): Promise<ArrayBuffer> {
    return viewBuffer(readBytes(this.#readable()))
  }

  async blob(): Promise<Blob> {
    return this.#readable().blob()
  }

  async formData(): Promise<FormData> {
    return this.#readable().formData()
  }

  get body(): ByteStream | null {
    return this.#readable().body
  }

  /** One of the Fetch API, to read the body twice or to send it on. */
  clone(): Request {
    const body = cloneBody(this.#readable())
    const headers = new HeaderStore()
    fillHeaders(headers, this.headers)
    return new Request(new ReceivedRequest(this.method, this.url, headers, body))
  }

  #readable(): Body {
    if (!this.#run.isContent) throw new TypeError('the body of a request can be read in content alone')
    return (this.#body ??= new ReceivedBody(this.#run))
  }

  get [toStringTagSymbol](): string {
    return 'Request'
  }
}

/** The response as it is about to be sent, or what is staged for it. */
export class UnitResponse {
  readonly #run: Invocation
  #headers: Headers | null = null

  constructor(maker: unknown, run: Invocation) {
    checkMaker(maker)
    this.#run = run
  }

  get headers(): Headers {
    return (this.#headers ??= headersOver(this.#run.responseHeaders))
  }

  /** Undefined while there is no response yet. */
  get status(): number | undefined {
    return this.#run.response === '' ? undefined : this.#run.status
  }

  set status(status: number) {
    this.#run.status = status
  }

  get ttl(): number | undefined {
    return this.#run.ttl
  }

  set ttl(ttl: number | undefined) {
    this.#run.ttl = ttl
  }

  /** The members of `Cache-Tag`. */
  get tags(): readonly string[] {
    return tagsOf(getHeader(this.#run.responseHeaders, 'cache-tag'))
  }

  set tags(tags: readonly string[]) {
    const text = tagsText(tags)
    const store = this.#run.responseHeaders
    if (text === '') deleteHeader(store, 'cache-tag')
    else setHeader(store, 'cache-tag', text)
  }

  get [toStringTagSymbol](): string {
    return 'Response'
  }
}

export class Edge {
  readonly #run: Invocation
  #log: LogFunction | null = null
  #kv: Kv | null = null
  #cache: EdgeCache | null = null
  #redis: object | null = null

  constructor(maker: unknown, run: Invocation) {
    checkMaker(maker)
    this.#run = run
  }

  get env(): Readonly<Record<string, string>> {
    return setup.env
  }

  get node(): { readonly name: string; readonly groups: readonly string[] } {
    return setup.node
  }

  get unit(): { readonly name: string; readonly version: number } {
    return setup.unit
  }

  get client(): NonNullable<InvocationMeta['client']> {
    return freeze(this.#run.metaJson.client ?? { address: '', port: 0, scheme: 'http' })
  }

  get requestId(): string {
    return this.#run.metaJson.requestId ?? ''
  }

  get timing(): NonNullable<InvocationMeta['timing']> {
    return freeze(this.#run.metaJson.timing ?? {})
  }

  get cacheKey(): string | undefined {
    return this.#run.cacheKey
  }

  set cacheKey(key: string) {
    this.#run.cacheKey = key
  }

  get state(): object {
    return this.#run.state
  }

  get log(): LogFunction {
    return (this.#log ??= logFunction(this.#run.id))
  }

  /** Keys and values of this unit, on the node's disk. */
  get kv(): Kv {
    return (this.#kv ??= new Kv(FROM_GUEST, this.#run.id))
  }

  /** Values that can be made again, for all workers of the node. */
  get cache(): EdgeCache {
    return (this.#cache ??= new EdgeCache(FROM_GUEST, this.#run.id))
  }

  /** The Redis of the source that this unit follows; undefined in all other units. */
  get redis(): object | undefined {
    if (!setup.hasRedis) return undefined
    return (this.#redis ??= redisClient(this.#run.id))
  }

  /** Takes answers out of the caches of all nodes. */
  purge(scope: unknown): Promise<unknown> {
    return purge(this.#run.id, scope)
  }

  /** A limit of the site or of the node, by its name. */
  limit(name: unknown): Limit {
    return new Limit(FROM_GUEST, this.#run.id, name)
  }

  /** Keeps an address or a prefix out, on all nodes. */
  ban(target: unknown, duration: unknown, options?: unknown): Promise<unknown> {
    return ban(this.#run.id, target, duration, options)
  }

  /** Work that goes on after the answer. Its errors are logged. */
  waitUntil(work: unknown): void {
    void goOnInBackground(this.#run.id, work)
  }

  get [toStringTagSymbol](): string {
    return 'Edge'
  }
}
