/** `Response` of the Fetch standard. */
import { Body, bodyType, cloneBody, RawBody, TEXT_BODY } from './body.ts'
import { FetchedBody } from './fetched-body.ts'
import { checkStatus, describe, headerValue } from './fields.ts'
import { appendHeader, getHeader, headerText, HeaderStore, setHeader } from './header-store.ts'
import { fillHeaders, type Headers, headersOver } from './headers.ts'
import { charCodeAt, stringifyJson, toStringTagSymbol } from './primordials.ts'
import { URL } from './url.ts'

export interface ResponseInit {
  readonly status?: number
  readonly statusText?: string
  readonly headers?: unknown
}

/** As `init`: makes what `Response.error()` gives. */
const NETWORK_ERROR = {}

/** Is the value a `Response`? */
export let isResponse: (value: object) => value is Response
/** `STATUS\nname: value\r\n…`, the HEAD of a record. Throws where the response cannot be sent. */
export let responseHead: (response: Response) => string

/** What `fetch` brought, with headers in the wire's form. */
export let receivedResponse: (
  status: number,
  statusText: string,
  url: string,
  redirected: boolean,
  headers: string,
  body: RawBody | FetchedBody,
) => Response

export class Response extends Body {
  #status = 200
  #statusText = ''
  #store = new HeaderStore()
  #headers: Headers | null = null
  #isError = false
  #url = ''
  #redirected = false

  constructor(body?: unknown, init?: ResponseInit) {
    super(body)
    if (init !== undefined && init !== null) this.#setUp(init)
    if (body === undefined || body === null) return
    if (this.#status === 204 || this.#status === 205 || this.#status === 304) {
      throw new TypeError(`a response with status ${this.#status} has no body`)
    }
    const type = bodyType(this)
    if (type !== null && getHeader(this.#store, 'content-type') === null)
      appendHeader(this.#store, 'content-type', type)
  }

  static {
    isResponse = (value): value is Response => #store in value
    receivedResponse = (status, statusText, url, redirected, headers, body) => {
      const isEmpty = status === 204 || status === 205 || status === 304
      if (isEmpty && body instanceof FetchedBody) body.cancel()
      const response = new Response(isEmpty ? null : body)
      response.#status = status
      response.#statusText = statusText
      response.#url = url
      response.#redirected = redirected
      response.#store = new HeaderStore(headers)
      return response
    }
    responseHead = (response) => {
      if (response.#isError) throw new TypeError('Response.error() cannot be sent')
      return `${response.#status}\n${headerText(response.#store)}`
    }
  }

  #setUp(init: ResponseInit): void {
    if ((init as unknown) === NETWORK_ERROR) {
      this.#isError = true
      this.#status = 0
      return
    }
    if (typeof init !== 'object')
      throw new TypeError(`the second argument of Response is an object, not ${describe(init)}`)
    const { status, statusText, headers } = init
    if (status !== undefined) this.#status = checkStatus(status)
    if (statusText !== undefined) this.#statusText = reasonPhrase(statusText)
    if (headers !== undefined) fillHeaders(this.#store, headers)
  }

  static error(): Response {
    return new Response(null, NETWORK_ERROR)
  }

  static json(data: unknown, init?: ResponseInit): Response {
    const text = stringifyJson(data) as string | undefined
    if (text === undefined) throw new TypeError(`${describe(data)} is no JSON`)
    const response = new Response(new RawBody(text, TEXT_BODY), init)
    if (getHeader(response.#store, 'content-type') === null)
      appendHeader(response.#store, 'content-type', 'application/json')
    return response
  }

  static redirect(url: unknown, status = 302): Response {
    if (status !== 301 && status !== 302 && status !== 303 && status !== 307 && status !== 308) {
      throw new RangeError(`${status} is not a status of a redirect (301, 302, 303, 307, 308)`)
    }
    const response = new Response(null, { status })
    setHeader(response.#store, 'location', locationOf(`${url as string}`))
    return response
  }

  get status(): number {
    return this.#status
  }

  get statusText(): string {
    return this.#statusText
  }

  get ok(): boolean {
    return this.#status >= 200 && this.#status <= 299
  }

  get headers(): Headers {
    return (this.#headers ??= headersOver(this.#store))
  }

  get type(): string {
    return this.#isError ? 'error' : 'default'
  }

  get url(): string {
    return this.#url
  }

  get redirected(): boolean {
    return this.#redirected
  }

  protected override contentType(): string | null {
    return getHeader(this.#store, 'content-type')
  }

  clone(): Response {
    const copy = new Response(cloneBody(this))
    copy.#status = this.#status
    copy.#statusText = this.#statusText
    copy.#isError = this.#isError
    copy.#url = this.#url
    copy.#redirected = this.#redirected
    fillHeaders(copy.#store, this.headers)
    return copy
  }

  get [toStringTagSymbol](): string {
    return 'Response'
  }
}

/** An absolute URL in its normal form, or a reference relative to the request's (RFC 9110 §10.2.2) as it is. */
function locationOf(url: string): string {
  return URL.canParse(url) ? new URL(url).href : headerValue(url, 'location')
}

function reasonPhrase(text: unknown): string {
  const phrase = `${text as string}`
  for (let i = 0; i < phrase.length; i++) {
    const code = charCodeAt(phrase, i)
    if ((code < 32 && code !== 9) || code === 127 || code > 255)
      throw new TypeError('statusText holds a character that no reason phrase may hold')
  }
  return phrase
}
