/**
 * Bodies of `Request` and `Response`: buffered, in whichever shape they came, converted when read.
 *
 * Streams do not exist in units. `body` is an opaque value that another `Response` or `Request` takes over, which is
 * what frameworks use it for.
 */
import { URLSearchParams } from './search-params.ts'
import { charCodeAt, detached, parseJson, slice, toStringTagSymbol, viewBuffer } from './primordials.ts'
import { bytesOfSource } from './buffer-source.ts'
import { checkMaker, FROM_GUEST } from './illegal-constructor.ts'
import { bytesOfLatin1, decodeUtf8, encodeUtf8, latin1OfBytes } from './utf8.ts'

export const NO_BODY = 0
/** Text, to be sent as UTF-8. */
export const TEXT_BODY = 1
/** Latin-1: a character a byte. */
export const BYTES_BODY = 2

/** A body in our own shape: what crossed, or what another body holds. */
export class RawBody {
  readonly content: string
  readonly kind: number

  constructor(content: string, kind: number) {
    this.content = content
    this.kind = kind
  }
}

let bodyBehind: (value: object) => Body | null

/** What stands for a stream. */
export class BodyContent {
  readonly #of: Body

  constructor(maker: unknown, of: Body) {
    checkMaker(maker)
    this.#of = of
  }

  static {
    bodyBehind = (value) => (#of in value ? value.#of : null)
  }

  get [toStringTagSymbol](): string {
    return 'ReadableStream'
  }
}

/** The content type that a body brings along, or null. */
export function typeOfBody(init: unknown): string | null {
  const isText =
    typeof init !== 'object' ||
    init === null ||
    !(init instanceof RawBody || bodyBehind(init) !== null || bytesOfSource(init) !== null)
  if (!isText) return null
  return init instanceof URLSearchParams
    ? 'application/x-www-form-urlencoded;charset=UTF-8'
    : 'text/plain;charset=UTF-8'
}

export let bodyKind: (body: Body) => number
/** The content, marked as read; throws where it was read before. */
export let takeBody: (body: Body) => string
/** A body with the same content; throws where it was read. */
export let cloneBody: (body: Body) => RawBody

/** The whole body, marked as read. Not async, so that nothing waits on a `then` that the unit may have replaced. */
export let readText: (body: Body) => string
export let readBytes: (body: Body) => Uint8Array<ArrayBuffer>

export class Body {
  #content = ''
  #kind = NO_BODY
  #used = false

  constructor(init: unknown) {
    if (typeof init === 'string') {
      this.#content = init
      this.#kind = TEXT_BODY
    } else if (init !== null && init !== undefined) {
      this.#take(init)
    }
  }

  static {
    bodyKind = (body) => body.#kind
    takeBody = (body) => {
      if (body.#used) throw new TypeError('the body was already read')
      body.#used = body.#kind !== NO_BODY
      return body.#content
    }
    readText = (body) => {
      const content = takeBody(body)
      const text = body.#kind === BYTES_BODY ? detached(decodeUtf8(content)) : content
      return charCodeAt(text, 0) === 0xfeff ? slice(text, 1) : text
    }
    readBytes = (body) => {
      const content = takeBody(body)
      return body.#kind === BYTES_BODY ? bytesOfLatin1(content) : encodeUtf8(content)
    }
    cloneBody = (body) => {
      if (body.#used) throw new TypeError('the body was already read')
      return new RawBody(body.#content, body.#kind)
    }
  }

  #take(init: unknown): void {
    if (init instanceof RawBody) {
      this.#content = init.content
      this.#kind = init.kind
      return
    }
    if (typeof init === 'object' && init !== null) {
      const other = bodyBehind(init)
      if (other !== null) {
        this.#content = takeBody(other)
        this.#kind = other.#kind
        return
      }
      const bytes = bytesOfSource(init)
      if (bytes !== null) {
        this.#content = latin1OfBytes(bytes)
        this.#kind = BYTES_BODY
        return
      }
    }
    this.#content = `${init as string}`
    this.#kind = TEXT_BODY
  }

  get bodyUsed(): boolean {
    return this.#used
  }

  get body(): BodyContent | null {
    return this.#kind === NO_BODY ? null : new BodyContent(FROM_GUEST, this)
  }

  async text(): Promise<string> {
    return readText(this)
  }

  async json(): Promise<unknown> {
    return parseJson(readText(this))
  }

  async bytes(): Promise<Uint8Array<ArrayBuffer>> {
    return readBytes(this)
  }

  async arrayBuffer(): Promise<ArrayBuffer> {
    return viewBuffer(readBytes(this))
  }
}
