/** One answer, gathered whole within a bound, and decoded. */
import { promisify } from 'node:util'
import * as zlib from 'node:zlib'
import { EdgeError } from '../../base/errors.ts'
import type { OriginCall, OriginHandler } from '../../contract/origin.ts'
import { headerValue, type HeaderList, type ResponseHead } from '../../wire/http1/message.ts'
import { endToEndHeaders } from '../../wire/http1/serialise.ts'

export interface Gathered {
  readonly status: number
  readonly reason: string
  readonly headers: HeaderList
  readonly body: Buffer
  /** Bytes of the body as they came over the wire. */
  readonly bytes: number
}

/** The answer is larger than is allowed. */
export class TooLarge extends Error {}

const DECODERS: Readonly<
  Record<string, (bytes: Buffer, options: { maxOutputLength: number }) => Promise<Buffer>>
> = {
  gzip: promisify(zlib.gunzip),
  'x-gzip': promisify(zlib.gunzip),
  br: promisify(zlib.brotliDecompress),
  deflate: promisify(zlib.inflate),
  zstd: promisify(zlib.zstdDecompress),
}

/** What is asked for where the unit does not say. */
export const ACCEPT_ENCODING = 'gzip, br'

export interface Gathering {
  readonly answer: Promise<Gathered>
  abort(): void
}

export function gather(
  bytesMax: number,
  isDecoded: boolean,
  send: (handler: OriginHandler) => OriginCall,
): Gathering {
  const { promise, resolve, reject } = Promise.withResolvers<Gathered>()
  const pieces: Buffer[] = []
  let bytes = 0
  let head: ResponseHead | undefined
  const call = send({
    onHead(received) {
      head = received
      if (received.framing.kind === 'length' && received.framing.bytes > bytesMax) tooLarge()
    },
    onData(chunk) {
      bytes += chunk.length
      if (bytes > bytesMax) tooLarge()
      else pieces.push(Buffer.from(chunk))
      return true
    },
    onEnd() {
      const { status, reason, headers, nominated } = head!
      const body = Buffer.concat(pieces)
      const answer = { status, reason, headers: endToEndHeaders(headers, nominated), body, bytes }
      if (isDecoded) decoded(answer, bytesMax).then(resolve, reject)
      else resolve(answer)
    },
    onError: reject,
    onDrain() {},
  })
  function tooLarge(): void {
    // Not from within its own callback: the call is still being told.
    setImmediate(() => call.abort())
    reject(new TooLarge())
  }
  return {
    answer: promise,
    abort() {
      call.abort()
      reject(new Error('it was given up'))
    },
  }
}

async function decoded(answer: Gathered, bytesMax: number): Promise<Gathered> {
  const coding = headerValue(answer.headers, 'content-encoding')?.trim().toLowerCase()
  const decoder = coding === undefined ? undefined : DECODERS[coding]
  if (!decoder || answer.body.length === 0) return answer
  try {
    const body = await decoder(answer.body, { maxOutputLength: bytesMax })
    return { ...answer, body, headers: without(answer.headers, ['content-encoding', 'content-length']) }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw new TooLarge()
    throw new EdgeError('origin-garbage', `its body is not ${coding}, as it says`, { cause: error })
  }
}

export function without(headers: HeaderList, names: readonly string[]): string[] {
  const kept: string[] = []
  for (let i = 0; i < headers.length; i += 2)
    if (!names.includes(headers[i]!)) kept.push(headers[i]!, headers[i + 1]!)
  return kept
}
