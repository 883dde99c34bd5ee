/** `Request` of the Fetch standard, what a `fetch` handler gets, and what frameworks make. */
import { abortSignal, AbortSignal, isSignal, onAbort } from './abort.ts'
import { Body, bodyKind, bodyType, cloneBody, type BodyParts, moveBody, NO_BODY } from './body.ts'
import { describe, isToken, quoted } from './fields.ts'
import { appendHeader, getHeader, headerText, HeaderStore } from './header-store.ts'
import { fillHeaders, type Headers, headersOver } from './headers.ts'
import { FROM_GUEST } from './illegal-constructor.ts'
import { toStringTagSymbol, toUpperCase } from './primordials.ts'
import { URL } from './url.ts'

export interface RequestInit {
  readonly method?: string
  readonly headers?: unknown
  readonly body?: unknown
  readonly signal?: unknown
  readonly redirect?: unknown
}

/** What the edge received, for `new Request(received)`: the text of headers is taken over as it is. */
export class ReceivedRequest {
  readonly method: string
  readonly url: string
  readonly headers: HeaderStore
  readonly body: BodyParts | null

  constructor(method: string, url: string, headers: HeaderStore, body: BodyParts | null) {
    this.method = method
    this.url = url
    this.headers = headers
    this.body = body
  }
}

/** What `fetch` needs to know. `headers` are in the wire's form; `signal` is null where nobody asked for one. */
export let partsOfRequest: (request: Request) => {
  readonly method: string
  readonly url: string
  readonly headers: string
  readonly redirect: string
  readonly signal: AbortSignal | null
}

export class Request extends Body {
  #method = 'GET'
  #url = ''
  #store: HeaderStore
  #headers: Headers | null = null
  /** Made when it is asked for, where none was given. */
  #signal: AbortSignal | null = null
  #redirect = 'follow'

  constructor(input: unknown, init?: RequestInit) {
    if (input instanceof ReceivedRequest) {
      super(input.body)
      this.#method = input.method
      this.#url = input.url
      this.#store = input.headers
      return
    }
    const other = typeof input === 'object' && input !== null && #store in input ? input : null
    const body = init?.body
    super(body ?? (other === null ? null : moveBody(other)))
    this.#store = new HeaderStore()
    this.#url = other === null ? absolute(input) : other.#url
    const method = init?.method
    this.#method = method !== undefined ? normalMethod(method) : other === null ? 'GET' : other.#method
    this.#signal = signalOf(init?.signal ?? (other === null ? null : other.#signal))
    const redirect = init?.redirect
    if (redirect !== undefined) this.#redirect = checkRedirect(redirect)
    else if (other !== null) this.#redirect = other.#redirect
    const headers = init?.headers
    if (headers !== undefined) fillHeaders(this.#store, headers)
    else if (other !== null) fillHeaders(this.#store, other.headers)
    if (bodyKind(this) === NO_BODY) return
    if (this.#method === 'GET' || this.#method === 'HEAD')
      throw new TypeError(`a ${this.#method} request has no body`)
    const type = bodyType(this)
    if (type !== null && getHeader(this.#store, 'content-type') === null)
      appendHeader(this.#store, 'content-type', type)
  }

  static {
    partsOfRequest = (request) => ({
      method: request.#method,
      url: request.#url,
      headers: headerText(request.#store),
      redirect: request.#redirect,
      signal: request.#signal,
    })
  }

  get redirect(): string {
    return this.#redirect
  }

  get method(): string {
    return this.#method
  }

  get url(): string {
    return this.#url
  }

  get headers(): Headers {
    return (this.#headers ??= headersOver(this.#store))
  }

  get signal(): AbortSignal {
    return (this.#signal ??= new AbortSignal(FROM_GUEST))
  }

  protected override contentType(): string | null {
    return getHeader(this.#store, 'content-type')
  }

  clone(): Request {
    const copy = new Request(new ReceivedRequest(this.#method, this.#url, new HeaderStore(), cloneBody(this)))
    fillHeaders(copy.#store, this.headers)
    copy.#redirect = this.#redirect
    if (this.#signal !== null) copy.#signal = following(this.#signal)
    return copy
  }

  get [toStringTagSymbol](): string {
    return 'Request'
  }
}

function signalOf(signal: unknown): AbortSignal | null {
  if (signal === undefined || signal === null) return null
  if (!isSignal(signal)) throw new TypeError(`signal is an AbortSignal, not ${describe(signal)}`)
  return following(signal)
}

/** A signal of its own, which is aborted with the other: nobody who holds the request reaches the one that was given. */
function following(signal: AbortSignal): AbortSignal {
  const own = new AbortSignal(FROM_GUEST)
  if (signal.aborted) abortSignal(own, signal.reason)
  else onAbort(signal, () => abortSignal(own, signal.reason))
  return own
}

function checkRedirect(mode: unknown): string {
  if (mode === 'follow' || mode === 'manual' || mode === 'error') return mode
  throw new TypeError(`redirect is "follow", "manual" or "error", not ${describe(mode)}`)
}

function absolute(input: unknown): string {
  const text = `${input as string}`
  if (!URL.canParse(text)) throw new TypeError(`${quoted(text)} is not an absolute URL`)
  const url = new URL(text)
  if (url.username !== '' || url.password !== '')
    throw new TypeError('the URL of a request holds no credentials')
  return url.href
}

/** Fetch §4: the common methods are written in upper case. */
function normalMethod(method: unknown): string {
  if (typeof method !== 'string' || !isToken(method))
    throw new TypeError(`${describe(method)} is not a method`)
  const upper = toUpperCase(method)
  if (upper === 'CONNECT' || upper === 'TRACE' || upper === 'TRACK')
    throw new TypeError(`the method ${upper} cannot be used`)
  return upper === 'GET' ||
    upper === 'HEAD' ||
    upper === 'POST' ||
    upper === 'PUT' ||
    upper === 'DELETE' ||
    upper === 'OPTIONS'
    ? upper
    : method
}
