/**
 * Streams of the Streams standard, and `URLPattern`: borrowed, and made when a unit first asks for them.
 *
 * Most units never do, and an isolate that has run the libraries is a quarter larger. They run in the unit's own world: a unit that changes
 * what they stand on breaks its own streams, and nothing that leaves the isolate; what comes out of a stream is checked piece by piece.
 */
import { bytesOfSource } from './buffer-source.ts'
import type { FetchedBody } from './fetched-body.ts'
import { describe } from './fields.ts'
import { defineProperty } from './primordials.ts'
import { bytesOfLatin1, latin1OfBytes } from './utf8.ts'

/** The bundler puts the library in; it runs at the first call. */
declare const require: (name: string) => unknown

type Streams = Pick<
  typeof import('web-streams-polyfill'),
  | 'ReadableStream'
  | 'ReadableStreamDefaultController'
  | 'ReadableStreamDefaultReader'
  | 'ReadableStreamBYOBReader'
  | 'ReadableStreamBYOBRequest'
  | 'ReadableByteStreamController'
  | 'WritableStream'
  | 'WritableStreamDefaultController'
  | 'WritableStreamDefaultWriter'
  | 'TransformStream'
  | 'TransformStreamDefaultController'
  | 'ByteLengthQueuingStrategy'
  | 'CountQueuingStrategy'
>

const NAMES: readonly (keyof Streams)[] = [
  'ReadableStream',
  'ReadableStreamDefaultController',
  'ReadableStreamDefaultReader',
  'ReadableStreamBYOBReader',
  'ReadableStreamBYOBRequest',
  'ReadableByteStreamController',
  'WritableStream',
  'WritableStreamDefaultController',
  'WritableStreamDefaultWriter',
  'TransformStream',
  'TransformStreamDefaultController',
  'ByteLengthQueuingStrategy',
  'CountQueuingStrategy',
]

export type ByteStream = ReadableStreamLike<Uint8Array<ArrayBuffer>>

/** As much of a `ReadableStream` as bodies look at. */
export interface ReadableStreamLike<T> {
  readonly locked: boolean
  getReader(): {
    read(): Promise<{ done: boolean; value?: T }>
    cancel(reason?: unknown): Promise<void>
    releaseLock(): void
  }
  cancel(reason?: unknown): Promise<void>
  tee(): [ReadableStreamLike<T>, ReadableStreamLike<T>]
}

let loaded: Streams | null = null

const streams = (): Streams => (loaded ??= require('web-streams-polyfill') as Streams)

/** The globals that are made at their first use. */
export function lazyGlobals(define: (name: string, make: () => unknown) => void): void {
  for (let i = 0; i < NAMES.length; i++) {
    const name = NAMES[i]!
    define(name, () => streams()[name])
  }
  define('URLPattern', () => {
    const { URLPattern } = require('urlpattern-polyfill/urlpattern') as { URLPattern: object }
    return URLPattern
  })
}

/** Is it a stream that units can have made? They cannot have one before the library ran. */
export const isStream = (value: object): value is ByteStream =>
  loaded !== null && value instanceof loaded.ReadableStream

/** A stream of these bytes. `onUse` is told when it is first read or cancelled; what it throws fails the read. */
export function byteStream(latin1: string, onUse: () => void = () => {}): ByteStream {
  const { ReadableStream } = streams()
  return new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      pull(controller) {
        onUse()
        if (latin1 !== '') controller.enqueue(bytesOfLatin1(latin1))
        controller.close()
      },
      cancel: onUse,
    },
    { highWaterMark: 0 },
  ) as unknown as ByteStream
}

/** A stream of what the worker holds; a piece is asked for when it is read. `onUse` is told as above. */
export function fetchedStream(body: FetchedBody, onUse: () => void): ByteStream {
  const { ReadableStream } = streams()
  return new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      async pull(controller) {
        onUse()
        const piece = await body.read()
        if (piece !== null) controller.enqueue(bytesOfLatin1(piece))
        if (body.isOver) controller.close()
      },
      cancel() {
        onUse()
        body.cancel()
      },
    },
    { highWaterMark: 0 },
  ) as unknown as ByteStream
}

/** All that a stream brings, as Latin-1 text. Rejects where a piece is no bytes, or where they are more than `bytesMax`. */
export async function drain(stream: ByteStream, bytesMax: number): Promise<string> {
  const reader = stream.getReader()
  let latin1 = ''
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return latin1
    latin1 += pieceOf(value)
    if (latin1.length > bytesMax) {
      const error = new RangeError(`a body of more than ${bytesMax} bytes`)
      void reader.cancel(error)
      throw error
    }
  }
}

/** A piece of a stream as Latin-1 text. */
export function pieceOf(piece: unknown): string {
  const bytes = bytesOfSource(piece)
  if (bytes === null)
    throw new TypeError(
      `a body's stream brought ${describe(piece)}; its pieces are Uint8Array: pipe text through a TextEncoderStream`,
    )
  return latin1OfBytes(bytes)
}

/** `TextEncoderStream`, `TextDecoderStream`: a pair of a transform and what it does. */
export function transformStream(transformer: {
  transform(chunk: unknown, controller: { enqueue(chunk: unknown): void }): void
  flush(controller: { enqueue(chunk: unknown): void }): void
}): { readonly readable: object; readonly writable: object } {
  const { TransformStream } = streams()
  return new TransformStream(transformer)
}

/** Puts a value in place of the accessor that made it. */
export function defineLazily(name: string, make: () => unknown): void {
  const settle = (value: unknown): void => {
    defineProperty(globalThis, name, {
      __proto__: null,
      value,
      writable: true,
      configurable: true,
      enumerable: false,
    } as PropertyDescriptor)
  }
  defineProperty(globalThis, name, {
    __proto__: null,
    get() {
      const value = make()
      settle(value)
      return value
    },
    set: settle,
    configurable: true,
    enumerable: false,
  } as PropertyDescriptor)
}
