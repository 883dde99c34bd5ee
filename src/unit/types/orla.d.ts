/**
 * What the author of a unit imports: `import type { Unit } from "orla"`.
 *
 * A unit is one module whose default export is an object with handlers, one for each phase of a request that it hooks,
 * and with fields that say where it runs. Globals (`Response`, `URL`, `crypto`…) are those of the web; see `globals.d.ts`.
 *
 * Everything here exists while a unit runs, and what a phase may not do is a type error.
 */

/** Nothing, now or later: the request goes on. */
export type Nothing = void | Promise<void>
/** Nothing, or a `Response` that answers the request; then later phases up to `headerFilter` do not run. */
export type Answer = void | Response | Promise<void | Response>

/** The default export of a unit. */
export type Unit = Fields & Handlers & (BytesFilter | TextFilter)

/** `bodyFilter` on bytes: what it is without a word. */
export interface BytesFilter {
  /** What `bodyFilter` is given. `text`: the body's UTF-8 as text, never cut within a character. Default `bytes`. */
  chunks?: 'bytes'
  /**
   * For each piece of a body on its way to the client, after `headerFilter`, from the cache or not. What it returns takes the
   * piece's place; nothing keeps it. The piece with `last` may be empty. With `buffer` in the unit there is one piece: the whole body.
   */
  bodyFilter?(
    chunk: Uint8Array<ArrayBuffer>,
    last: boolean,
    request: AnsweredRequest,
    response: SentResponse,
    edge: Edge,
  ): Filtered
}

/** `bodyFilter` on text. */
export interface TextFilter {
  chunks: 'text'
  bodyFilter?(
    chunk: string,
    last: boolean,
    request: AnsweredRequest,
    response: SentResponse,
    edge: Edge,
  ): Filtered
}

/** What takes the place of a piece of the body: bytes, text (sent as UTF-8), or nothing to keep it as it is. */
export type Filtered = Piece | Promise<Piece>
type Piece = void | string | Uint8Array | ArrayBuffer

/** The handlers, in the order of a request's life. At least one is needed. Each may be async. */
export interface Handlers {
  /**
   * First of all: may change the request's method, path, query and headers, and stage headers of the response.
   * Cache and origin use the request as it is after this.
   */
  rewrite?(request: EditableRequest, response: StagedResponse, edge: IncomingEdge): Answer
  /** After `rewrite`, with the same powers: the place to refuse, with a `Response` of status 401 or 403. */
  access?(request: EditableRequest, response: StagedResponse, edge: IncomingEdge): Answer
  /**
   * Makes the answer, instead of cache and origin. The one phase that can read the request's body. A `Response` made of a
   * `ReadableStream` leaves piece by piece, as the client reads it.
   */
  content?(request: ContentRequest, edge: Edge): Response | Promise<Response>
  /**
   * Before the origin is asked, where the cache has no answer: may choose the endpoint, and change what is sent; or return a
   * `Response` that stands in for the origin's, and is stored as it would be. The cache's key is not touched.
   */
  origin?(request: OriginRequest, edge: Edge): Answer
  /**
   * When the head of the origin's answer has come, before it is stored: may change status and headers, and say for how long
   * it is kept (`response.ttl`) and under which tags (`response.tags`).
   */
  originResponse?(request: AnsweredRequest, response: StorableResponse, edge: Edge): Nothing
  /** Before the head is sent, from the cache or not: may change status and headers. */
  headerFilter?(request: AnsweredRequest, response: FilteredResponse, edge: Edge): Nothing
  /** After the answer has left: for counting and logging. */
  log?(request: AnsweredRequest, response: SentResponse, edge: Edge): Nothing
  /**
   * By the clock, as `every` or `cron` says, once on the node: for what has to be done without a request. A run that is due while
   * the one before still goes on is left out.
   */
  timer?(edge: TimerEdge): Nothing
  /**
   * For each query to the DNS plane of the node whose name is one of `hosts`, where the Corefile has the plugin `unit`: may answer it, or have
   * another question asked in its place. Nothing: the next unit is asked, then the plugins behind.
   */
  dns?(query: DnsQuery, edge: DnsEdge): DnsAnswer | Promise<DnsAnswer>
  /**
   * `content` in the form of the Fetch API, so that a module written for Workers, or a Hono app, is a unit as it is.
   * `env` is `edge.env`. Exclusive with `content`.
   */
  fetch?(request: Request, env: Env, context: FetchContext): Response | Promise<Response>
}

/** Where and how a unit runs. What the deploy command says wins over these. */
export interface Fields {
  /** Hosts of the request, and names of the query: exact (`tv.example.com`), a wildcard (`*.example.com`), or `*`. Absent: all. */
  hosts?: string | readonly string[]
  /** Paths: exact, or a prefix that ends in `*`. Compared decoded: `/hls/*` meets `/%68ls/a` too. Absent: all. */
  paths?: string | readonly string[]
  /** Methods, in upper case; `GET` stands for `HEAD` too. Absent: all. */
  methods?: string | readonly string[]
  /** Edge nodes that run it, by name, or by `group:NAME`. Absent: all. */
  nodes?: string | readonly string[]
  /** Within a phase, units of higher priority run first; then by name. Default 0. */
  priority?: number
  /**
   * The share of requests that run the unit, 0 to 1: drawn for each request, or so that a client stays on its side, by
   * address or by the value of a cookie.
   */
  sample?: number | { readonly share?: number; readonly by?: 'random' | 'address' | `cookie:${string}` }
  /**
   * What happens to the request when the unit fails. `closed`: 503, or SERVFAIL in `dns`. `open`: as if the unit were not there. `lastGood`: the
   * version before runs instead. Default: closed in `rewrite`, `access`, `content` and `dns`, open elsewhere.
   *
   * (A function is no policy: it lets pass the apps of frameworks, which have a method of this name.)
   */
  onError?: 'closed' | 'open' | 'lastGood' | ((handler: never) => unknown)
  limits?: Limits
  /**
   * `bodyFilter` is given the whole body in one piece, if it is at most so long (up to 16 MiB). A longer one is a failure of the
   * unit: by `onError` it passes as it is, or is not sent. Bytes, or text such as `64kb`. Default: piece by piece.
   */
  buffer?: number | string
  /** `process` (default): in a sandbox process. `inline`: in the worker, for code that the operator trusts. */
  isolation?: 'process' | 'inline'
  /** How often `timer` runs: 100 milliseconds to 7 days. */
  every?: `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`
  /** When `timer` runs, in UTC: minute, hour, day of month, month, day of week, such as `"30 4 * * mon-fri"`. */
  cron?: string
  /** The namespace of `edge.kv`, shared by all units that name it. Absent: the unit's own, which is its name. */
  kv?: string
  /**
   * What a request takes of before the unit runs, once: a limit by its name, or one of the unit's own; up to eight, in this order. One that is refused is
   * answered with 429, and the unit does not run. For units with `rewrite`, `access`, `content` or `fetch`.
   */
  limit?: UnitLimit | readonly UnitLimit[]
}

/** The name of a limit of the site or of the node, a rate (`10/1m`, for each client's address), or a limit of the unit's own. */
export type UnitLimit = string | OwnLimit

/** A limit of the unit's own, in the words of `limits` in the configuration; what is absent is as it is there. */
export interface OwnLimit {
  /** So many in so much time: `10/s`, `100/1m`. */
  readonly rate: string
  /** How it is called in metrics and `RateLimit` fields. Absent: as the unit. Of several limits of a unit each has one. */
  readonly name?: string
  /**
   * What is counted by: `address`, `pair`, `path`, `host`, `asn`, `all`, `header:NAME`, `cookie:NAME`, or a list of these. Absent: `address`. `unit`: requests are
   * not counted by it, but the unit takes of it, by `edge.limit`.
   */
  readonly key?: string | readonly string[]
  readonly algorithm?:
    | 'token-bucket'
    | 'leaky-bucket'
    | 'leaky-queue'
    | 'fixed-window'
    | 'sliding-window'
    | 'sliding-log'
    | 'gcra'
    | 'shaper'
  readonly burst?: number
  /** What one request takes. Default 1. */
  readonly cost?: number
  /** Only for these of the unit's paths and methods. */
  readonly paths?: readonly string[]
  readonly methods?: readonly string[]
  /** Addresses and prefixes that are not limited. */
  readonly exempt?: readonly string[]
  /** Refuses nobody: what it would have done is counted. */
  readonly dryRun?: boolean
  /** Status of what is refused. Default 429. */
  readonly status?: number
  /** What else `limits` in the configuration may say: `docs/reference/configuration.md`. */
  readonly [word: string]: unknown
}

/** How much one unit may use. */
export interface Limits {
  /** CPU time of one call of a handler, in milliseconds, 1 to 1000. Default 10. */
  cpuMs?: number
  /** Time until an async handler has settled, in milliseconds, 1 to 60000. Default 1000. Thirty times that may pass between two pieces of a streamed body. */
  wallMs?: number
  /** Memory of the unit's isolate, in MiB, 8 to 512. Default 32. */
  memoryMb?: number
}

/** The request as every phase sees it. */
export interface ReadonlyRequest {
  /** In upper case: `GET`. */
  readonly method: string
  /** As it stands in the request line, percent-encoding untouched, without the query: `/a%20b`. */
  readonly path: string
  /** The query's arguments. `get` finds one without taking the rest apart. */
  readonly query: ReadonlyQuery
  readonly headers: ReadonlyHeaders
  /** The cookies that the client sent, values as they came. */
  readonly cookies: Cookies
  /** The `Host` header: name, and port where one was given. */
  readonly host: string
  /** Scheme, host, path and query together. Making a `URL` of it costs more than `path` and `query`. */
  readonly url: string
}

/** The request from `originResponse` on, when it is known what the cache did. */
export interface AnsweredRequest extends ReadonlyRequest {
  readonly cache: {
    /**
     * `hit`: the answer is the cache's. `stale`: the same, and past its time; in `originResponse`: there is such an answer, and the origin was
     * asked about it. `revalidated`: it is the cache's, after the origin said that it is still good. `miss`: it is the origin's. `bypass`: the
     * cache has no part in this request. `none`: the site has no cache, or was not asked.
     */
    readonly status: 'hit' | 'stale' | 'revalidated' | 'miss' | 'bypass' | 'none'
    /** Whole seconds since the origin made the answer; absent where it is not the cache's. */
    readonly age?: number
    /** What the answer is kept under; absent where the cache was not asked. */
    readonly key?: string
  }
}

/** The request in `rewrite` and `access`: what is assigned or changed here is what cache and origin see. */
export interface EditableRequest extends Omit<ReadonlyRequest, 'method' | 'path' | 'query' | 'headers'> {
  /** A method in upper case. */
  method: string
  /** Starts with `/`; percent-encoded; without `?` and `#`. */
  path: string
  /** Change it in place (`query.set('a', '1')`), or assign a new one, also as text. */
  get query(): URLSearchParams
  set query(query: URLSearchParams | string)
  readonly headers: Headers
}

/** The request in `origin`: what is assigned or changed here is what the origin is sent, and nobody else sees. */
export interface OriginRequest extends EditableRequest {
  /**
   * The endpoint to ask, and no other: one of `endpoints`, or its `HOST:PORT`. Undefined: the edge chooses, and moves
   * on where one cannot be reached.
   */
  get endpoint(): string | undefined
  set endpoint(endpoint: string)
  /** What the site's endpoints are called: the `name` in the configuration, else the URL. */
  readonly endpoints: readonly string[]
  /** `host` too may be set here, for the origin's eyes; without it, the endpoint's own is sent. */
  readonly headers: Headers
}

/** The request in `content`. Its body is there whole, and can be read once; `body` is null where there is none. */
export interface ContentRequest extends ReadonlyRequest, Body {
  /** A `Request` of the Fetch API with the same content: to read the body twice, or to send it on. Throws where it was read. */
  clone(): Request
}

/** Before there is a response: headers set here are added to whatever is sent, and are never stored in the cache. */
export interface StagedResponse {
  readonly headers: Headers
}

/** The response of the origin, before it is stored. */
export interface StorableResponse {
  /** 200 to 599. */
  status: number
  /** What is changed here decides whether it is stored: `cache-control` above all. */
  readonly headers: Headers
  /**
   * For how many seconds the cache may answer with it. Assigned, it wins over `expires`, `cache-control` and `age`, `no-store` and
   * `no-cache` included; 0 keeps it out. What is for one person (`private`, `set-cookie`, `authorization`) is not stored all the
   * same. Undefined: the headers say nothing.
   */
  get ttl(): number | undefined
  set ttl(ttl: number)
  /** The members of `cache-tag`, kept with what is stored. Assign a list to set them. */
  get tags(): readonly string[]
  set tags(tags: readonly string[])
}

/** The response that is about to be sent. */
export interface FilteredResponse {
  /** 200 to 599. */
  status: number
  readonly headers: Headers
}

/** The response that was sent. */
export interface SentResponse {
  readonly status: number
  readonly headers: ReadonlyHeaders
}

/** Headers that can be looked at. */
export type ReadonlyHeaders = Omit<Headers, 'append' | 'set' | 'delete'>
/** A query that can be looked at. */
export type ReadonlyQuery = Omit<URLSearchParams, 'append' | 'set' | 'delete' | 'sort'>

/** Cookies of a request (`Cookie` headers), not decoded. To set one, append a `set-cookie` header to the response. */
export interface Cookies extends Iterable<[name: string, value: string]> {
  /** The value of the first cookie of that name. */
  get(name: string): string | undefined
  has(name: string): boolean
  keys(): IterableIterator<string>
  entries(): IterableIterator<[name: string, value: string]>
}

/** What the unit was deployed with: `--env K=V` and `--secret K=V`. Frozen. */
export type Env = Readonly<Record<string, string | undefined>>

/** What a handler is told besides the request, and what it can ask of the node. */
export interface Edge {
  readonly env: Env
  /** The edge node that runs this: name and groups, from its configuration. */
  readonly node: { readonly name: string; readonly groups: readonly string[] }
  /** This unit and its version. */
  readonly unit: { readonly name: string; readonly version: number }
  /** What this request is called in logs, here and at the origin (`X-Request-Id`). Empty for what is no request. */
  readonly requestId: string
  /** Who sent the request. */
  readonly client: Client
  /** From `originResponse` on: how long things took. */
  readonly timing: Timing
  /**
   * What this unit keeps of this request: data (as JSON has it, up to 64 KiB) that is there again in its later phases, and for each
   * piece of the body.
   */
  readonly state: Record<string, any>
  /** A line of the unit's log, as `orla tail` shows it: at level info, or at the level in front. */
  readonly log: Log
  /**
   * Keys and values of this unit, kept on the node's disk and seen by all its workers; where the node has others beside it, theirs too,
   * a moment later. Units that name the same namespace in their field `kv` share it.
   */
  readonly kv: Kv
  /** Values that can be made again, for all workers of the node: bounded, and empty after a start. */
  readonly cache: EdgeCache
  /** The Redis of the source that this unit follows, by the names of commands; chunks know it as `redis_client`. Absent in units that were deployed. */
  readonly redis?: { readonly [command: string]: (...args: readonly unknown[]) => Promise<any> }
  /**
   * Takes answers out of the caches of all nodes, of the sites that this unit runs on. When the `await` ends, nothing from before it is found on this
   * node any more; the others hear of it in the same moment. A unit may do so ten times a second, with 1,000 names at a time; what it may not is
   * thrown, as an Error whose `code` is `purge-invalid`, `purge-limit`, `forbidden`, `control-unreachable` or another one of `docs/reference/errors.md`.
   */
  purge(scope: PurgeScope): Promise<PurgeOutcome>
  /**
   * A limit by its name: of the unit's own (its field `limit`), or else the one in `limits` of the request's site, or else in the node's. Its state is shared by all workers of the node. A name that is none of these
   * is thrown where it is asked, as an Error whose `code` is `limit-unknown`.
   */
  limit(name: string): Limit
  /**
   * Keeps an address (`192.0.2.7`, `2001:db8::7`) or a prefix (`2001:db8::/48`) out, on all nodes, for so long: `"10m"`, or milliseconds, from a second to 366
   * days. When the `await` ends, all workers of this node close its connections and accept none. What may not be banned is thrown, as an Error whose
   * `code` is `ban-invalid`, `ban-limit` or another one of `docs/reference/errors.md`.
   */
  ban(
    addressOrPrefix: string,
    duration: string | number,
    options?: { readonly reason?: string },
  ): Promise<Ban>
  /** Lets work go on after the answer, for 30 seconds at most. Its errors are logged. */
  waitUntil(work: Promise<unknown>): void
}

/** Decides how much a key may take. */
export interface Limit {
  readonly name: string
  /**
   * Takes `cost` (a whole number; 1 unless said, 0 only looks) of what the key may take. What is refused takes nothing. The key is a text of at most 65,536
   * characters; one that is an IP address is counted by prefixes, as the limit has them. A run takes what it was allowed once, also where it has to
   * be begun again because its sandbox died: it is answered as the first time.
   */
  take(key: string, cost?: number): Promise<Taken>
}

export interface Taken {
  readonly allowed: boolean
  /** What the key could still take now. */
  readonly remaining: number
  /** Milliseconds until the same is allowed, if nobody asks in between; 0 where it was, `Infinity` where it never is. */
  readonly retryAfterMs: number
  /** Milliseconds until all of its allowance is there again. */
  readonly resetMs: number
  /** Of a limit that shapes: milliseconds to wait before going on with what is allowed. */
  readonly waitMs?: number
}

export interface Ban {
  /** What is banned, in the one way to write it. */
  readonly prefix: string
  /** Milliseconds since 1970. */
  readonly until: number
}

/** In `rewrite` and `access`. */
export interface IncomingEdge extends Edge {
  /**
   * What the answer is kept under, behind scheme and host, in place of path, query and whatever `cache.key` adds: text of 1 to 1024
   * characters, with a slash put in front where there is none, and percent-encoded where it is not visible ASCII. It is a key of its own
   * kind: no address has it by itself. The origin is asked for the request as it is, so the text has to hold all that its answer
   * depends on. Undefined: as the site has it.
   */
  get cacheKey(): string | undefined
  set cacheKey(key: string)
}

/** What is to go: an answer that one of these names means. */
export interface PurgeScope {
  /** Absolute URLs, with all variants of each. */
  readonly urls?: readonly string[]
  /** What absolute URLs begin with: `https://example.com/news/*`. */
  readonly prefixes?: readonly string[]
  /** Of `Cache-Tag`, `Surrogate-Key` and `Cache-Groups`, and of `response.tags`. */
  readonly tags?: readonly string[]
  /** It is stale from now on, and not gone: it may be served while it is refreshed, and where the origin fails. */
  readonly soft?: boolean
}

export interface PurgeOutcome {
  /** On this node. */
  readonly objects: number
  readonly ms: number
}

/** There is no request, so there is no client. */
export type TimerEdge = Omit<Edge, 'client' | 'timing'>

/** There is no request: the client is the query's. */
export type DnsEdge = Omit<Edge, 'client' | 'timing' | 'requestId' | 'state'>

/** A query to the DNS plane. */
export interface DnsQuery {
  /** What is asked for, in lower case and without the dot at its end: `www.example.org`; the root is `.`. What is no plain character is escaped as in master files. */
  readonly name: string
  /** `A`, `AAAA`, `TXT`…; `TYPE65280` where it has no name. */
  readonly type: string
  /** `IN`, mostly. */
  readonly class: string
  /** Who asks: mostly the resolver of whoever wants to know. */
  readonly client: { readonly address: string; readonly port: number }
  /** `tcp` for all that is not UDP. */
  readonly proto: 'udp' | 'tcp'
  /** `dns`, DNS over TLS, or DNS over HTTPS. */
  readonly transport: 'dns' | 'tls' | 'https'
  /** Records of DNSSEC are wanted. */
  readonly do: boolean
  /** Zone of the server block that the query met, without the dot at its end. */
  readonly zone: string
  /** What plugins tell of the query, by label (`geoip/country/code`), where the server block has the plugin `metadata`. */
  readonly tags: Readonly<Record<string, string>>
}

/** Nothing; the records of the answer; an answer in parts; or what is to be asked in place of the query. */
export type DnsAnswer = void | readonly DnsRecord[] | DnsAnswerParts | DnsAsk

/**
 * A record as in a zone file, `[NAME.] [TTL] [IN] TYPE DATA`: `"A 192.0.2.1"`, `"60 CNAME www.example.net."`. A name in front ends with a dot; without one the record
 * is of the name that was asked for. The TTL is 60 seconds where none is given. Or the same in parts.
 */
export type DnsRecord =
  | string
  | {
      /** Absent: the name that was asked for. */
      readonly name?: string
      readonly type: string
      /** As a zone file has it. Texts in a list are put in quotes, as `TXT` has them. */
      readonly data: string | readonly string[]
      /** Seconds. Absent: 60. */
      readonly ttl?: number
    }

export interface DnsAnswerParts {
  /** `NOERROR`, `NXDOMAIN`, `REFUSED`… Absent: `NOERROR`. */
  readonly rcode?: string
  readonly answer?: readonly DnsRecord[]
  readonly authority?: readonly DnsRecord[]
  readonly additional?: readonly DnsRecord[]
  /** Whether the answer is authoritative. Absent: it is. */
  readonly aa?: boolean
}

/** The plugins behind are asked this, and their answer is given under the name that the client asked for. */
export interface DnsAsk {
  readonly ask: { readonly name?: string; readonly type?: string }
}

/** Seconds above 0, or a text such as `"90s"`, `"10m"`, `"1d"`. */
export type Ttl = number | `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`

/** What can be kept: text, bytes, or anything that is JSON, which is kept as its text. */
export type KvValue = string | BufferSource | number | boolean | null | object

export interface KvWriteOptions {
  /** The key goes away after so long. Absent: it stays. */
  readonly ttl?: Ttl
  /** Wait until it is on the disk, so that it outlives the machine. Without it, what was awaited outlives every process. */
  readonly durable?: boolean
  /**
   * `eventual`, the default: done on this node, and on the others a moment later; nobody is waited for. `strong`: done by the control plane
   * for all nodes, and then seen here, before the `await` ends; an Error with the `code` `kv-unavailable` where it does not answer in time.
   */
  readonly consistency?: 'eventual' | 'strong'
}

type Reads = {
  /** The value, or null where there is no such key. */
  get(key: string, options?: 'text' | { readonly type?: 'text' }): Promise<string | null>
  get<T = any>(key: string, options: 'json' | { readonly type: 'json' }): Promise<T | null>
  get(key: string, options: 'bytes' | { readonly type: 'bytes' }): Promise<Uint8Array<ArrayBuffer> | null>
  get(key: string, options: 'arrayBuffer' | { readonly type: 'arrayBuffer' }): Promise<ArrayBuffer | null>
}

/**
 * Key/value data. What was awaited is seen by every read that starts later on this node, in any worker. What the quotas do
 * not allow is thrown, as an Error whose `code` is `kv-quota`, `kv-value`, `kv-key`, `kv-busy` or `kv-outbox`.
 */
export interface Kv {
  /** The value, or null where there is no such key: from this node's copy, or with `consistency: "strong"` from the control plane. */
  get(key: string, options?: 'text' | KvReadOptions<'text'>): Promise<string | null>
  get<T = any>(
    key: string,
    options: 'json' | (KvReadOptions<'json'> & { readonly type: 'json' }),
  ): Promise<T | null>
  get(
    key: string,
    options: 'bytes' | (KvReadOptions<'bytes'> & { readonly type: 'bytes' }),
  ): Promise<Uint8Array<ArrayBuffer> | null>
  get(
    key: string,
    options: 'arrayBuffer' | (KvReadOptions<'arrayBuffer'> & { readonly type: 'arrayBuffer' }),
  ): Promise<ArrayBuffer | null>
  put(key: string, value: KvValue, options?: KvWriteOptions): Promise<void>
  delete(key: string, options?: Omit<KvWriteOptions, 'ttl'>): Promise<void>
  /** Keys in the order of their bytes, at most 1000 at a time. */
  list(options?: KvListOptions): Promise<KvPage>
  /**
   * Adds to a counter, and returns what it holds then: nobody comes in between. A counter that is not there starts from 0, and
   * its `ttl` counts from then on. `by` is a whole number, 1 if absent.
   *
   * Where there are several nodes, each adds on its own, waits for nobody, and all come to the same total; what is returned is what
   * this node knows of it. With `consistency: "strong"` nobody of all nodes comes in between, and each caller gets another number.
   */
  increment(key: string, by?: number, options?: KvWriteOptions): Promise<number>
  /**
   * Sets a key where it holds `expected`, byte for byte, or, for null, where it is not there. True where it did: of all who expect the
   * same, on all nodes, one. Always strong.
   */
  compareAndSet(
    key: string,
    expected: KvValue | null,
    value: KvValue,
    options?: Omit<KvWriteOptions, 'consistency'>,
  ): Promise<boolean>
}

export interface KvReadOptions<T extends string> {
  readonly type?: T
  readonly consistency?: 'eventual' | 'strong'
}

export interface KvListOptions {
  readonly prefix?: string
  /** 1 to 1000. Default 1000. */
  readonly limit?: number
  /** From the page before. */
  readonly cursor?: string | undefined
}

export interface KvPage {
  readonly keys: readonly { readonly name: string; readonly expiresAt?: number }[]
  /** For the next page; absent on the last one. */
  readonly cursor?: string
  readonly complete: boolean
}

export interface EdgeCache extends Reads {
  put(key: string, value: KvValue, options?: { readonly ttl?: Ttl }): Promise<void>
  delete(key: string): Promise<void>
}

/** What the client showed in its TLS handshake, where the listener asks for certificates. */
export interface ClientCertificate {
  /** One of the authorities that the listener trusts signed it, and it is in force. */
  readonly verified: boolean
  /** Why it was not verified: OpenSSL's word, such as `CERT_HAS_EXPIRED`. */
  readonly problem?: string
  /** `CN=alice,O=Example`. */
  readonly subject: string
  readonly issuer: string
  /** `DNS:a.example.com, email:alice@example.com`; empty where there is none. */
  readonly altNames: string
  /** In hex. */
  readonly serial: string
  /** SHA-256, in hex. */
  readonly fingerprint: string
  /** ISO 8601. */
  readonly notBefore: string
  readonly notAfter: string
}

/** The connection's other end; behind a proxy in `edge.trustedProxies`, the client that it names. */
export interface Client {
  /** IPv4 or IPv6 address, as text. */
  readonly address: string
  /** 0 where a proxy does not tell it. */
  readonly port: number
  /** What the client speaks, with this node or with the proxy before it. */
  readonly scheme: 'http' | 'https'
  /** The number of its network (autonomous system), where `geo.asn` of the configuration names a table that knows it. */
  readonly asn?: number
  readonly certificate?: ClientCertificate
}

/** Times of this request. What did not happen is absent: a hit in the cache asked no origin. */
export interface Timing {
  /** Milliseconds since the request's first byte. */
  readonly requestMs?: number
  /** Milliseconds to connect to the origin; 0 for a kept connection. */
  readonly upstreamConnectMs?: number
  /** Milliseconds until the origin's head had come. */
  readonly upstreamResponseMs?: number
  /** Round-trip time of the client's connection as the kernel estimates it, in microseconds. */
  readonly tcpRttUs?: number
}

/** Values are printed as `console.log` prints them. */
export interface Log {
  (level: 'debug' | 'info' | 'warn' | 'error', value: unknown, ...more: readonly unknown[]): void
  (...values: readonly unknown[]): void
  debug(...values: readonly unknown[]): void
  info(...values: readonly unknown[]): void
  warn(...values: readonly unknown[]): void
  error(...values: readonly unknown[]): void
}

/** The third argument of `fetch`. */
export interface FetchContext {
  waitUntil(work: Promise<unknown>): void
  /** Has no effect: `onError: "open"` says it for the whole unit. */
  passThroughOnException(): void
  readonly props: Readonly<Record<string, unknown>>
  /** What the other handlers are given: `edge.kv`, `edge.cache`, `edge.log`… */
  readonly edge: Edge
}
