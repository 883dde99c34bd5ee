/**
 * Bodies of `Request` and `Response`: buffered, in whichever shape they came, and converted when read; a stream that the unit made; or
 * what goes on in the worker (see `fetched-body.ts`).
 *
 * `body` of one that is no stream is one too, made when it is asked for. Handed to another `Response` or `Request` unread, which
 * is what frameworks do with it, its content goes over as it is, and nothing is streamed.
 */
import { blobContent, Blob, BlobBytes, isBlob } from './blob.ts'
import { bytesOfSource } from './buffer-source.ts'
import { FetchedBody } from './fetched-body.ts'
import { type FormData, isFormData } from './form-data.ts'
import { decodeForm, encodeForm } from './multipart.ts'
import {
  charCodeAt,
  detached,
  parseJson,
  slice,
  viewBuffer,
  weakMapGet,
  WeakMapIntrinsic,
  weakMapSet,
} from './primordials.ts'
import { URLSearchParams } from './search-params.ts'
import { byteStream, type ByteStream, drain, fetchedStream, isStream } from './streams.ts'
import { bytesOfLatin1, decodeUtf8, encodeUtf8, latin1OfBytes } from './utf8.ts'

export const NO_BODY = 0
/** Text, to be sent as UTF-8. */
export const TEXT_BODY = 1
/** Latin-1: a character a byte. */
export const BYTES_BODY = 2
/** A stream of the unit's own. */
export const STREAM_BODY = 3
/** The worker holds it. */
export const FETCHED_BODY = 4

/** Bytes of a stream that are gathered where a body is read whole. */
export const STREAM_BYTES_MAX = 16 * 1024 * 1024

/** A body in our own shape: what crossed, or what another body holds. */
export class RawBody {
  readonly content: string
  readonly kind: number

  constructor(content: string, kind: number) {
    this.content = content
    this.kind = kind
  }
}

/** What a body is made of: the parts of another, for the most part. */
export type BodyParts = RawBody | FetchedBody | ByteStream

/** Whose content a stream stands for: those that `body` gave of what was no stream. */
const owners = new WeakMapIntrinsic<object, Body>()

export let bodyKind: (body: Body) => number
/** The content type that the body brings along, or null. */
export let bodyType: (body: Body) => string | null
/** The content, for another body to take over: marked as read here; throws where it was read before. */
export let moveBody: (body: Body) => BodyParts | null
/** The content of a buffered body, marked as read; throws where it was read before. */
export let takeBody: (body: Body) => string
/** The stream of a body that is one, marked as read. */
export let takeStream: (body: Body) => ByteStream
/** What the worker holds of a body that is so, marked as read. */
export let takeFetched: (body: Body) => FetchedBody
/** The whole of a body that comes by and by, as Latin-1 text; marked as read. */
export let gatherBody: (body: Body, bytesMax: number) => Promise<string>
/** A body with the same content; throws where it was read. */
export let cloneBody: (body: Body) => BodyParts | null

/** The whole of a buffered body, marked as read. Not async, so that nothing waits on a `then` that the unit may have replaced. */
export let readText: (body: Body) => string
export let readBytes: (body: Body) => Uint8Array<ArrayBuffer>

const WAS_READ = 'the body was already read'

export class Body {
  #content = ''
  #kind = NO_BODY
  #used = false
  #type: string | null = null
  /** What `body` gave, or what the unit made. */
  #stream: ByteStream | null = null
  #fetched: FetchedBody | null = null

  constructor(init: unknown) {
    if (typeof init === 'string') {
      this.#content = init
      this.#kind = TEXT_BODY
      this.#type = 'text/plain;charset=UTF-8'
    } else if (init !== null && init !== undefined) {
      this.#take(init)
    }
  }

  static {
    bodyKind = (body) => body.#kind
    bodyType = (body) => body.#type
    takeBody = (body) => {
      if (body.#used || body.#stream?.locked === true) throw new TypeError(WAS_READ)
      body.#used = body.#kind !== NO_BODY
      return body.#content
    }
    takeStream = (body) => {
      const stream = body.#stream!
      if (body.#used || stream.locked) throw new TypeError(WAS_READ)
      body.#used = true
      return stream
    }
    takeFetched = (body) => {
      takeBody(body)
      return body.#fetched!
    }
    gatherBody = (body, bytesMax) =>
      body.#kind === FETCHED_BODY ? takeFetched(body).gather(bytesMax) : drain(takeStream(body), bytesMax)
    moveBody = (body) => {
      if (body.#kind === NO_BODY) return null
      if (body.#kind === STREAM_BODY) return takeStream(body)
      return body.#kind === FETCHED_BODY ? takeFetched(body) : new RawBody(takeBody(body), body.#kind)
    }
    readText = (body) => textOf(takeBody(body), body.#kind)
    readBytes = (body) => bytesOf(takeBody(body), body.#kind)
    cloneBody = (body) => {
      if (body.bodyUsed || body.#stream?.locked === true) throw new TypeError(WAS_READ)
      if (body.#kind === NO_BODY) return null
      if (body.#kind < STREAM_BODY) return new RawBody(body.#content, body.#kind)
      const stream = body.body
      body.#kind = STREAM_BODY
      const [ours, theirs] = stream!.tee() as [ByteStream, ByteStream]
      body.#stream = ours
      return theirs
    }
  }

  #take(init: unknown): void {
    if (init instanceof RawBody) {
      this.#content = init.content
      this.#kind = init.kind
      return
    }
    if (init instanceof FetchedBody) {
      this.#fetched = init
      this.#kind = FETCHED_BODY
      return
    }
    if (typeof init === 'object' && init !== null && this.#takeObject(init)) return
    this.#content = `${init as string}`
    this.#kind = TEXT_BODY
    this.#type =
      init instanceof URLSearchParams
        ? 'application/x-www-form-urlencoded;charset=UTF-8'
        : 'text/plain;charset=UTF-8'
  }

  /** False where it is nothing that a body is made of, but by its text. */
  #takeObject(init: object): boolean {
    const bytes = bytesOfSource(init)
    if (bytes !== null) {
      this.#content = latin1OfBytes(bytes)
    } else if (isBlob(init)) {
      this.#content = blobContent(init)
      this.#type = init.type === '' ? null : init.type
    } else if (isFormData(init)) {
      const { latin1, contentType } = encodeForm(init)
      this.#content = latin1
      this.#type = contentType
    } else if (isStream(init)) {
      this.#takeStream(init)
      return true
    } else {
      return false
    }
    this.#kind = BYTES_BODY
    return true
  }

  #takeStream(stream: ByteStream): void {
    const owner = weakMapGet(owners, stream)
    if (owner !== undefined && owner.#kind !== STREAM_BODY) {
      this.#content = takeBody(owner)
      this.#fetched = owner.#fetched
      this.#kind = owner.#kind
      return
    }
    if (stream.locked) throw new TypeError('the stream is being read by somebody else')
    this.#kind = STREAM_BODY
    this.#stream = stream
  }

  get bodyUsed(): boolean {
    return this.#used
  }

  get body(): ByteStream | null {
    if (this.#kind === NO_BODY) return null
    return (this.#stream ??= this.#asStream())
  }

  #asStream(): ByteStream {
    if (this.#fetched !== null) return this.#streamFetched(this.#fetched)
    const latin1 = this.#kind === BYTES_BODY ? this.#content : latin1OfBytes(encodeUtf8(this.#content))
    const stream = byteStream(latin1, () => {
      if (this.#used) throw new TypeError(WAS_READ)
      this.#used = true
    })
    weakMapSet(owners, stream, this)
    return stream
  }

  #streamFetched(fetched: FetchedBody): ByteStream {
    let isBegun = false
    const stream = fetchedStream(fetched, () => {
      // The stream of one that was cloned is its content.
      if (isBegun || this.#kind === STREAM_BODY) return
      if (this.#used) throw new TypeError(WAS_READ)
      this.#used = isBegun = true
    })
    weakMapSet(owners, stream, this)
    return stream
  }

  /** It comes by and by. */
  get #comes(): boolean {
    return this.#kind >= STREAM_BODY
  }

  /** The content as Latin-1 bytes, when it has ended. What is fetched has a budget already. */
  async #drain(): Promise<string> {
    return gatherBody(this, this.#kind === FETCHED_BODY ? Infinity : STREAM_BYTES_MAX)
  }

  async text(): Promise<string> {
    return this.#comes ? textOf(await this.#drain(), BYTES_BODY) : readText(this)
  }

  async json(): Promise<unknown> {
    return parseJson(this.#comes ? textOf(await this.#drain(), BYTES_BODY) : readText(this))
  }

  async bytes(): Promise<Uint8Array<ArrayBuffer>> {
    return this.#bytes()
  }

  async #bytes(): Promise<Uint8Array<ArrayBuffer>> {
    return this.#comes ? bytesOfLatin1(await this.#drain()) : readBytes(this)
  }

  async arrayBuffer(): Promise<ArrayBuffer> {
    return viewBuffer(await this.#bytes())
  }

  async blob(): Promise<Blob> {
    const type = this.contentType() ?? ''
    const bytes = await this.#bytes()
    return new Blob(new BlobBytes(latin1OfBytes(bytes)), { type })
  }

  async formData(): Promise<FormData> {
    const type = this.contentType() ?? ''
    const bytes = await this.#bytes()
    return decodeForm(latin1OfBytes(bytes), type)
  }

  /** As the headers of a subclass have it. */
  protected contentType(): string | null {
    return this.#type
  }
}

function textOf(content: string, kind: number): string {
  const text = kind === BYTES_BODY ? detached(decodeUtf8(content)) : content
  return charCodeAt(text, 0) === 0xfeff ? slice(text, 1) : text
}

const bytesOf = (content: string, kind: number): Uint8Array<ArrayBuffer> =>
  kind === BYTES_BODY ? bytesOfLatin1(content) : encodeUtf8(content)
