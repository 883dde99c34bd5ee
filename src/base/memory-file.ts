/**
 * A file that lies in memory alone (`memfd_create`): bytes that the kernel sends to a socket without copying them.
 *
 * A large body written from a Node buffer is copied into the socket, page by page: half of what sending a megabyte costs.
 * `sendfile` hands over the pages themselves. Node offers neither call, so libc is asked through FFI; on a system without
 * them `create` gives undefined, and whoever asked keeps a Buffer instead.
 *
 * Each file takes a descriptor. They are counted, and there are never more than a share of what the process may have:
 * connections need the rest. The pages stay with the kernel until they are sent, also when the file is closed before.
 */
import { closeSync, readFileSync, readSync, writeSync } from 'node:fs'
import { loadLibc, sendFile, type SentFile } from './send-file.ts'

const MFD_CLOEXEC = 1
/** Of all descriptors, the part that files may take. */
const SHARE_MAX = 1 / 4
/** Where the system does not tell its limit. */
const DESCRIPTORS_KNOWN = 1024

let filesMax: number | undefined
let files = 0

function descriptorsMax(): number {
  try {
    const line = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))
    return line === null ? DESCRIPTORS_KNOWN : Number(line[1])
  } catch {
    return DESCRIPTORS_KNOWN
  }
}

/** A file that nobody closed and nobody can reach any more gives its descriptor back. */
const forgotten = new FinalizationRegistry<number>((descriptor) => closeDescriptor(descriptor))

function closeDescriptor(descriptor: number): void {
  files -= 1
  closeSync(descriptor)
}

export class MemoryFile implements SentFile {
  /** Bytes written so far. */
  length = 0
  /** −1 once it is closed: a number that went back to the system may be somebody else's file by now. */
  private descriptor: number

  private constructor(descriptor: number) {
    this.descriptor = descriptor
    forgotten.register(this, descriptor, this)
  }

  /** An empty file. Undefined: not on this system, or there are too many of them. */
  static create(): MemoryFile | undefined {
    const libc = loadLibc()
    if (libc === undefined) return undefined
    filesMax ??= Math.floor(descriptorsMax() * SHARE_MAX)
    if (files >= filesMax) return undefined
    const descriptor = libc.memfd_create('orla-body', MFD_CLOEXEC)
    if (descriptor < 0) return undefined
    files += 1
    return new MemoryFile(descriptor)
  }

  /** How many there are in this process. */
  static get count(): number {
    return files
  }

  /** False: the system has no memory for it, and the file is of no use any more. */
  append(bytes: Uint8Array): boolean {
    try {
      for (let at = 0; at < bytes.length;) {
        const written = writeSync(this.open(), bytes, at, bytes.length - at, this.length)
        at += written
        this.length += written
      }
      return true
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === undefined) throw error
      return false
    }
  }

  /** A copy of the bytes from `start` to before `end`, which must lie within the file. */
  read(start: number, end: number): Buffer {
    const bytes = Buffer.allocUnsafeSlow(end - start)
    for (let at = 0; at < bytes.length;) {
      const count = readSync(this.open(), bytes, at, bytes.length - at, start + at)
      if (count === 0) throw new RangeError(`a memory file of ${this.length} bytes was read beyond its end`)
      at += count
    }
    return bytes
  }

  /**
   * Sends bytes from `start` to at most before `end` to a socket that does not block, and returns how many it took: fewer
   * where its buffer is full, 0 also where the connection is broken (which the next ordinary write will tell).
   */
  sendTo(socket: number, start: number, end: number): number {
    return sendFile(socket, this.open(), start, end)
  }

  close(): void {
    if (this.descriptor < 0) return
    forgotten.unregister(this)
    closeDescriptor(this.descriptor)
    this.descriptor = -1
  }

  private open(): number {
    if (this.descriptor < 0) throw new Error('a memory file was used after it was closed')
    return this.descriptor
  }
}
