/**
 * Bytes of a file that the kernel hands to a socket without copying them (`sendfile`), and what it is told ahead of that.
 *
 * Node offers neither call, so libc is asked through FFI. What such a file is (memory, a disk) is its owner's business: `SentFile`.
 */
import { createRequire } from 'node:module'

/** A file with a body in it, for whoever sends one. */
export interface SentFile {
  readonly length: number
  /** A copy of the bytes from `start` to before `end`. Throws `BrokenFile` where they are not what they were. */
  read(start: number, end: number): Buffer
  /** Has the kernel send bytes from `start` to at most before `end`, and returns how many the socket took: maybe fewer, maybe none. */
  sendTo(socket: number, start: number, end: number): number
  close(): void
  /** Up to where bytes from `start` on may leave as they are. Absent: all of them, always. */
  checkedEnd?(start: number): number
  /** Where that is not beyond `start`: looks at what stands there, and says whether it is what it was. */
  check?(start: number, done: (isWhole: boolean) => void): void
}

/** A file is not what it was, or cannot be read. What has left of it was right. */
export class BrokenFile extends Error {}

/** What `read` gives of them; undefined where they lie in a file that is not what it was. */
export function readIfWhole(bytes: Pick<SentFile, 'read'>, start: number, end: number): Buffer | undefined {
  try {
    return bytes.read(start, end)
  } catch (error) {
    if (!(error instanceof BrokenFile)) throw error
    return undefined
  }
}

interface Libc {
  memfd_create(name: string, flags: number): number
  sendfile(out: number, file: number, offset: BigInt64Array, count: number): number
  posix_fadvise(file: number, offset: number, length: number, advice: number): number
}

const POSIX_FADV_WILLNEED = 3

let libc: Libc | undefined | null = null
const offset = new BigInt64Array(1)

/** Undefined: not on this system. */
export function loadLibc(): Libc | undefined {
  if (libc === null) libc = load()
  return libc
}

function load(): Libc | undefined {
  if (process.platform !== 'linux') return undefined
  try {
    const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi')
    const library = koffi.load('libc.so.6')
    return {
      memfd_create: library.func('int memfd_create(const char *name, unsigned int flags)'),
      sendfile: library.func('int64_t sendfile(int out, int file, int64_t *offset, size_t count)'),
      posix_fadvise: library.func('int posix_fadvise(int file, int64_t offset, int64_t length, int advice)'),
    } as unknown as Libc
  } catch {
    return undefined
  }
}

/** How many bytes the socket took; 0 also where the connection or the file is broken, which the next ordinary read and write will tell, and on a system without the call. */
export function sendFile(socket: number, file: number, start: number, end: number): number {
  offset[0] = BigInt(start)
  return Math.max(0, loadLibc()?.sendfile(socket, file, offset, end - start) ?? 0)
}

/** The kernel reads it ahead, if it likes; nobody waits. */
export function willNeed(file: number, start: number, bytes: number): void {
  loadLibc()?.posix_fadvise(file, start, bytes, POSIX_FADV_WILLNEED)
}
