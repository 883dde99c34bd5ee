/**
 * `Blob` and `File` of the File API: immutable bytes with a type.
 *
 * The bytes are kept as Latin-1 text, as bodies cross: a slice of it costs nothing.
 */
import { bytesOfSource } from './buffer-source.ts'
import { describe } from './fields.ts'
import {
  charCodeAt,
  detached,
  iteratorSymbol,
  max,
  min,
  now,
  slice,
  toLowerCase,
  toStringTagSymbol,
  toWellFormed,
  trunc,
  viewBuffer,
} from './primordials.ts'
import { byteStream } from './streams.ts'
import { bytesOfLatin1, decodeUtf8, encodeUtf8, latin1OfBytes } from './utf8.ts'

/** Its bytes as Latin-1 text. */
export let blobContent: (blob: Blob) => string
export let isBlob: (value: unknown) => value is Blob

export interface BlobInit {
  readonly type?: string
  readonly endings?: 'transparent' | 'native'
}

/** The guest's own way to make one from bytes that are Latin-1 text. */
export class BlobBytes {
  readonly latin1: string

  constructor(latin1: string) {
    this.latin1 = latin1
  }
}

export class Blob {
  #bytes = ''
  readonly #type: string

  constructor(parts?: Iterable<unknown> | BlobBytes, init?: BlobInit) {
    if (parts instanceof BlobBytes) this.#bytes = parts.latin1
    else if (parts !== undefined) this.#fill(parts)
    this.#type = typeText(init?.type)
  }

  static {
    blobContent = (blob) => blob.#bytes
    isBlob = (value): value is Blob => typeof value === 'object' && value !== null && #bytes in value
  }

  #fill(parts: Iterable<unknown>): void {
    if (typeof parts !== 'object' || parts === null || !(iteratorSymbol in parts))
      throw new TypeError(`a Blob is made of a list of parts, not of ${describe(parts)}`)
    let bytes = ''
    for (const part of parts) bytes += bytesOfPart(part)
    this.#bytes = bytes
  }

  get size(): number {
    return this.#bytes.length
  }

  get type(): string {
    return this.#type
  }

  slice(start = 0, end = this.#bytes.length, type?: string): Blob {
    const from = bound(start, this.#bytes.length)
    const to = max(from, bound(end, this.#bytes.length))
    return new Blob(new BlobBytes(detached(slice(this.#bytes, from, to))), { type: type ?? '' })
  }

  async text(): Promise<string> {
    return detached(decodeUtf8(this.#bytes))
  }

  async bytes(): Promise<Uint8Array<ArrayBuffer>> {
    return bytesOfLatin1(this.#bytes)
  }

  async arrayBuffer(): Promise<ArrayBuffer> {
    return viewBuffer(bytesOfLatin1(this.#bytes))
  }

  stream(): object {
    return byteStream(this.#bytes)
  }

  get [toStringTagSymbol](): string {
    return 'Blob'
  }
}

export class File extends Blob {
  readonly #name: string
  readonly #lastModified: number

  constructor(
    parts: Iterable<unknown> | BlobBytes,
    name: string,
    init?: BlobInit & { readonly lastModified?: number },
  ) {
    super(parts, init)
    this.#name = toWellFormed(`${name}`)
    this.#lastModified = init?.lastModified === undefined ? now() : trunc(+init.lastModified)
  }

  get name(): string {
    return this.#name
  }

  get lastModified(): number {
    return this.#lastModified
  }

  override get [toStringTagSymbol](): string {
    return 'File'
  }
}

function bytesOfPart(part: unknown): string {
  if (typeof part === 'string') return latin1OfBytes(encodeUtf8(part))
  if (isBlob(part)) return blobContent(part)
  const bytes = bytesOfSource(part)
  return bytes === null ? latin1OfBytes(encodeUtf8(`${part as string}`)) : latin1OfBytes(bytes)
}

/** An index counted from the end where it is negative. */
function bound(index: number, length: number): number {
  const whole = trunc(+index) || 0
  return whole < 0 ? max(length + whole, 0) : min(whole, length)
}

/** In lower case; empty where it holds what no type may (File API §3.1). */
function typeText(type: unknown): string {
  if (type === undefined) return ''
  const text = `${type as string}`
  for (let i = 0; i < text.length; i++) {
    const code = charCodeAt(text, i)
    if (code < 32 || code > 126) return ''
  }
  return toLowerCase(text)
}
