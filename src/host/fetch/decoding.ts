/** What a server packed for the way is unpacked for the unit, whole or as it comes. */
import type { Transform } from 'node:stream'
import { promisify } from 'node:util'
import * as zlib from 'node:zlib'
import { EdgeError } from '../../base/errors.ts'
import { headerValues, type HeaderList } from '../../wire/http1/message.ts'

interface Coding {
  /** Rejects with `ERR_BUFFER_TOO_LARGE` where it would be longer. */
  whole(bytes: Buffer, options: { maxOutputLength: number }): Promise<Buffer>
  stream(): Transform
}

const GZIP: Coding = { whole: promisify(zlib.gunzip), stream: () => zlib.createGunzip() }
const CODINGS: Readonly<Record<string, Coding>> = {
  gzip: GZIP,
  'x-gzip': GZIP,
  br: { whole: promisify(zlib.brotliDecompress), stream: () => zlib.createBrotliDecompress() },
  deflate: { whole: promisify(zlib.inflate), stream: () => zlib.createInflate() },
  zstd: { whole: promisify(zlib.zstdDecompress), stream: () => zlib.createZstdDecompress() },
}

/** What is asked for where the unit does not say. */
export const ACCEPT_ENCODING = 'gzip, br'

/** The one coding of a body that can be undone here. */
export function codingOf(headers: HeaderList): string | undefined {
  const name = headerValues(headers, 'content-encoding')?.trim().toLowerCase()
  return name !== undefined && Object.hasOwn(CODINGS, name) ? name : undefined
}

/** Undefined where it would be longer than `bytesMax`. */
export async function decodeWhole(
  bytes: Buffer,
  coding: string,
  bytesMax: number,
): Promise<Buffer | undefined> {
  try {
    return await CODINGS[coding]!.whole(bytes, { maxOutputLength: bytesMax })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') return undefined
    throw badCoding(coding, error)
  }
}

export const decoderOf = (coding: string): Transform => CODINGS[coding]!.stream()

export const badCoding = (coding: string, cause: unknown): EdgeError =>
  new EdgeError('origin-garbage', `its body is not ${coding}, as it says`, { cause })
