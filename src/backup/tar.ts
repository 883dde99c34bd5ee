/**
 * The tar format (POSIX ustar), as far as a backup needs it: regular files, one after the other, and an end.
 *
 *     header 512 bytes · content, filled up to 512 · … · 1024 zeros
 */
import type { FileHandle } from 'node:fs/promises'

export const BLOCK = 512
/** Twelve bytes of octal digits hold less than this; GNU's binary form holds the rest. */
const OCTAL_MAX = 8 ** 11

export interface TarHeader {
  readonly name: string
  readonly bytes: number
}

/** What fills content up to a whole block. */
export const fillOf = (bytes: number): number => (BLOCK - (bytes % BLOCK)) % BLOCK

export function encodeHeader({ name, bytes }: TarHeader, atMs: number): Buffer {
  const header = Buffer.alloc(BLOCK)
  header.write(name, 0, 100)
  header.write('0000600\0', 100)
  header.write('0000000\0', 108)
  header.write('0000000\0', 116)
  if (bytes < OCTAL_MAX) header.write(`${bytes.toString(8).padStart(11, '0')}\0`, 124)
  else {
    header.writeUInt8(0x80, 124)
    header.writeBigUInt64BE(BigInt(bytes), 128)
  }
  header.write(
    `${Math.floor(atMs / 1000)
      .toString(8)
      .padStart(11, '0')}\0`,
    136,
  )
  header.write('0', 156)
  header.write('ustar\x0000', 257, 'latin1')
  header.write(`${sumOf(header).toString(8).padStart(6, '0')}\0 `, 148)
  return header
}

/** Undefined where it is no header of a regular file, or damaged; `end` for a block of zeros. */
export function decodeHeader(header: Buffer): TarHeader | 'end' | undefined {
  if (header.every((byte) => byte === 0)) return 'end'
  if (octal(header, 148, 8) !== sumOf(header)) return undefined
  if (header.toString('latin1', 257, 262) !== 'ustar' || header[156] !== 0x30) return undefined
  const name = header.toString('utf8', 0, 100).replace(/\0.*$/s, '')
  const bytes = header[124] === 0x80 ? Number(header.readBigUInt64BE(128)) : octal(header, 124, 12)
  return Number.isSafeInteger(bytes) ? { name, bytes } : undefined
}

/** Reads exactly so many bytes, or fewer where the file ends. */
export async function readFully(file: FileHandle, position: number, into: Buffer): Promise<Buffer> {
  let length = 0
  while (length < into.length) {
    const { bytesRead } = await file.read(into, length, into.length - length, position + length)
    if (bytesRead === 0) break
    length += bytesRead
  }
  return into.subarray(0, length)
}

const octal = (header: Buffer, at: number, length: number): number => {
  const text = header.toString('latin1', at, at + length).replace(/[\0 ]+$/, '')
  return /^[0-7]+$/.test(text) ? parseInt(text, 8) : NaN
}

/** Over the header with its own field full of spaces. */
function sumOf(header: Buffer): number {
  let sum = 8 * 0x20
  for (const [at, byte] of header.entries()) if (at < 148 || at >= 156) sum += byte
  return sum
}
