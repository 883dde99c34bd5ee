/** `Request` of the Fetch standard, with a buffered body: what a `fetch` handler gets, and what frameworks make. */
import { Body, bodyKind, cloneBody, NO_BODY, RawBody, typeOfBody } from './body.ts'
import { describe, isToken, quoted } from './fields.ts'
import { appendHeader, getHeader, HeaderStore } from './header-store.ts'
import { fillHeaders, type Headers, headersOver } from './headers.ts'
import { toStringTagSymbol, toUpperCase } from './primordials.ts'
import { URL } from './url.ts'

export interface RequestInit {
  readonly method?: string
  readonly headers?: unknown
  readonly body?: unknown
}

/** What the edge received, for `new Request(received)`: the text of headers is taken over as it is. */
export class ReceivedRequest {
  readonly method: string
  readonly url: string
  readonly headers: HeaderStore
  readonly body: RawBody | null

  constructor(method: string, url: string, headers: HeaderStore, body: RawBody | null) {
    this.method = method
    this.url = url
    this.headers = headers
    this.body = body
  }
}

export class Request extends Body {
  #method = 'GET'
  #url = ''
  #store: HeaderStore
  #headers: Headers | null = null

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
    super(body ?? (other === null ? null : other.body))
    this.#store = new HeaderStore()
    this.#url = other === null ? absolute(input) : other.#url
    const method = init?.method
    this.#method = method !== undefined ? normalMethod(method) : other === null ? 'GET' : other.#method
    const headers = init?.headers
    if (headers !== undefined) fillHeaders(this.#store, headers)
    else if (other !== null) fillHeaders(this.#store, other.headers)
    if (bodyKind(this) === NO_BODY) return
    if (this.#method === 'GET' || this.#method === 'HEAD')
      throw new TypeError(`a ${this.#method} request has no body`)
    const type = body === undefined || body === null ? null : typeOfBody(body)
    if (type !== null && getHeader(this.#store, 'content-type') === null)
      appendHeader(this.#store, 'content-type', type)
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

  clone(): Request {
    const copy = new Request(new ReceivedRequest(this.#method, this.#url, new HeaderStore(), cloneBody(this)))
    fillHeaders(copy.#store, this.headers)
    return copy
  }

  get [toStringTagSymbol](): string {
    return 'Request'
  }
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
