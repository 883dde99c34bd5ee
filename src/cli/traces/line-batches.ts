/**
 * The lines of a file or of standard input, however large, batch by batch. gzip and Zstandard are found by their first
 * bytes, whatever the name is.
 */
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { pipeline, type Readable, Transform } from 'node:stream'
import { createGunzip, createZstdDecompress } from 'node:zlib'
import { EdgeError } from '../../base/errors.ts'

/** A line that is longer is given as at least this many characters: it is no line of a trace, and is not kept in memory. */
export const LINE_LENGTH_MAX = 1 << 18

export interface ByteSource {
  /** As a person wrote it. */
  readonly name: string
  /** Bytes on disk; undefined where nobody knows, as on a pipe. */
  readonly size: number | undefined
  /** Bytes read so far, compressed as they are. */
  readonly bytesRead: () => number
  /** What is in it, unpacked. */
  readonly chunks: AsyncIterable<Buffer>
}

/** `path` is `-` for standard input, else counts from `cwd`. */
export async function openBytes(path: string, cwd: string, stdin: Readable): Promise<ByteSource> {
  const isStdin = path === '-'
  const file = resolve(cwd, path)
  const size = isStdin ? undefined : await sizeOf(path, file)
  let bytesRead = 0
  const counted = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytesRead += chunk.length
      done(null, chunk)
    },
  })
  // An error of either end is one of the last, which whoever reads it meets.
  pipeline(isStdin ? stdin : createReadStream(file, { highWaterMark: 1 << 18 }), counted, () => {})
  const name = isStdin ? 'standard input' : path
  return { name, size, bytesRead: () => bytesRead, chunks: unpacked(name, counted) }
}

async function sizeOf(name: string, file: string): Promise<number | undefined> {
  try {
    const found = await stat(file)
    if (found.isDirectory()) throw new EdgeError('file-unreadable', `${name} is a folder, not a trace`)
    return found.isFile() ? found.size : undefined
  } catch (error) {
    throw unreadable(name, error)
  }
}

function unreadable(name: string, error: unknown): unknown {
  const { code, message } = error as NodeJS.ErrnoException
  if (code === undefined || error instanceof EdgeError) return error
  // Of zlib: the file ends in the middle of what is packed.
  if (code === 'Z_BUF_ERROR')
    return new EdgeError('file-unreadable', `${name}: it is packed, and cut short`, {
      cause: error,
      hint: 'unpack what there is of it (`gzip -dc`), and read that',
    })
  const why = code === 'ENOENT' ? 'there is no such file' : message
  return new EdgeError('file-unreadable', `${name}: ${why}`, { cause: error })
}

const GZIP = Buffer.from([0x1f, 0x8b])
const ZSTD = Buffer.from([0x28, 0xb5, 0x2f, 0xfd])

async function* unpacked(name: string, packed: Readable): AsyncGenerator<Buffer> {
  try {
    const first = await firstBytes(packed)
    if (first === undefined) return
    packed.unshift(first)
    const unpack = first.subarray(0, 2).equals(GZIP)
      ? createGunzip()
      : first.subarray(0, 4).equals(ZSTD)
        ? createZstdDecompress()
        : undefined
    yield* unpack === undefined ? packed : pipeline(packed, unpack, () => {})
  } catch (error) {
    throw unreadable(name, error)
  }
}

/** The first chunk, which may be as short as a pipe makes it: two bytes tell gzip, four Zstandard. */
function firstBytes(stream: Readable): Promise<Buffer | undefined> {
  return new Promise((resolve, reject) => {
    const settle = () => {
      const chunk = stream.read() as Buffer | null
      if (chunk === null && !stream.readableEnded && !stream.destroyed) return
      stream.off('readable', settle)
      stream.off('end', settle)
      stream.off('error', reject)
      resolve(chunk ?? undefined)
    }
    stream.on('readable', settle)
    stream.on('end', settle)
    stream.on('error', reject)
  })
}

/** What some editors put before the first line of UTF-8. */
const BYTE_ORDER_MARK = '\xef\xbb\xbf'

/** Characters are bytes: what a key looks like does not matter, as long as it always looks the same. */
export async function* lineBatches(chunks: AsyncIterable<Buffer>): AsyncGenerator<readonly string[]> {
  let rest = ''
  let isFirst = true
  for await (const chunk of chunks) {
    const text = chunk.toString('latin1')
    const lines = (rest + (isFirst && text.startsWith(BYTE_ORDER_MARK) ? text.slice(3) : text)).split('\n')
    isFirst = false
    rest = lines.pop()!
    // A tail that only grows stands for its line.
    if (rest.length > LINE_LENGTH_MAX) rest = rest.slice(0, LINE_LENGTH_MAX)
    yield lines
  }
  if (rest !== '') yield [rest]
}
