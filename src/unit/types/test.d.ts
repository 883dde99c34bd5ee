/**
 * What the tests of a unit import: `import { assert, test } from "orla/test"`.
 *
 * The tests of `gate.ts` lie beside it in `gate.test.ts`. A deploy runs them, under the unit's real limits and before anything is live;
 * one that fails refuses the deploy. `export const env = { TOKEN: 'secret' }` gives the unit its `edge.env` while it is tested, instead of what it is
 * deployed with. `export const fetches = { 'https://example.org/keys': { status: 200, headers: {}, body: '…' } }` says what its `fetch` gets; what is not named
 * there is refused. `edge.kv` and `edge.cache` are real, and empty at the start. `export const limits = { login: '3/1m' }` says which limits `edge.limit` finds, and the
 * unit's field `limit`: with a rate, or in the words of the configuration; they are real too, nobody has taken of them at the start, and all tests share them.
 * `edge.ban` bans nobody.
 */

/** Notes a test down. They run one after the other, in order; a promise is awaited. */
export declare function test(name: string, run: (unit: TestedUnit) => unknown): void

export interface TestedUnit {
  /** Sends a request through the unit's phases, whatever its fields say about hosts and paths. */
  request(target: string, sent?: SentRequest): Promise<TestedResponse>
  /** Runs the handler `timer`. */
  timer(): Promise<{ readonly log: readonly string[] }>
}

export interface SentRequest {
  /** Default `GET`. */
  method?: string
  headers?: Record<string, string> | Iterable<readonly [name: string, value: string]>
  body?: string | Uint8Array<ArrayBuffer> | ArrayBuffer
  /** Default `example.org`. */
  host?: string
  scheme?: 'http' | 'https'
  /** Of the client. Default `192.0.2.1`. */
  address?: string
  /** What `request.endpoints` are in `origin`. Default: `http://origin-1.example.org` and `http://origin-2.example.org`. */
  endpoints?: readonly string[]
  /** What the origin answers where the unit does not. Default: 200, `origin`. */
  origin?: Response
}

/** The answer as the client gets it. */
export interface TestedResponse extends Response {
  /** Who made it; `limit`: one in the unit's field `limit` refused, and the unit did not run. */
  readonly by: 'unit' | 'origin' | 'limit'
  /** The request as the unit left it: what the origin would see. */
  readonly request: {
    readonly method: string
    readonly path: string
    readonly query: URLSearchParams
    readonly headers: Headers
    /** The endpoint that `origin` chose. */
    readonly endpoint?: string
  }
  /** What `edge.cacheKey` was set to; undefined where it was not. */
  readonly cacheKey?: string
  /** For how many seconds `originResponse` said that it is kept; undefined where it did not say. */
  readonly ttl?: number
  /** What the unit logged meanwhile, as `level: text`. */
  readonly log: readonly string[]
}

export interface Assert {
  (value: unknown, message?: string): void
  ok(value: unknown, message?: string): void
  /** By `Object.is`. */
  equal(actual: unknown, expected: unknown, message?: string): void
  notEqual(actual: unknown, expected: unknown, message?: string): void
  deepEqual(actual: unknown, expected: unknown, message?: string): void
  match(actual: string, pattern: RegExp, message?: string): void
  throws(work: () => unknown, pattern?: RegExp): void
  rejects(work: Promise<unknown> | (() => unknown), pattern?: RegExp): Promise<void>
}

export declare const assert: Assert
