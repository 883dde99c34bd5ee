/** The codings that can be undone here: those of bodies on their way to clients, and of what units fetch. */
import type { Transform } from 'node:stream'
import { promisify } from 'node:util'
import * as zlib from 'node:zlib'

/** A stream of zlib: it can be told to let go of what it holds. */
export type CodingStream = Transform & {
  flush(kind: number, done: () => void): void
  close(): void
}

export interface Decoder {
  /** Rejects with `ERR_BUFFER_TOO_LARGE` where it would be longer. */
  whole(bytes: Buffer, options: { maxOutputLength: number }): Promise<Buffer>
  stream(): CodingStream
}

const GZIP: Decoder = { whole: promisify(zlib.gunzip), stream: () => zlib.createGunzip() }
const DECODERS: ReadonlyMap<string, Decoder> = new Map<string, Decoder>([
  ['gzip', GZIP],
  ['x-gzip', GZIP],
  ['deflate', { whole: promisify(zlib.inflate), stream: () => zlib.createInflate() }],
  ['br', { whole: promisify(zlib.brotliDecompress), stream: () => zlib.createBrotliDecompress() }],
  [
    'zstd',
    { whole: promisify(zlib.zstdDecompress), stream: () => zlib.createZstdDecompress() as CodingStream },
  ],
])

/** By the value of `Content-Encoding`. Undefined where the coding is none that is known here, or several. */
export const decoderOf = (coding: string): Decoder | undefined => DECODERS.get(coding.trim().toLowerCase())
