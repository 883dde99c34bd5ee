/**
 * Words that several processes see at once: a small file, mapped into each of them, as an `Int32Array`.
 *
 * `Atomics` work on the view across processes (a store costs 30 to 70 ns, a load 6 ns). A message over the channel of a
 * child would reach each worker at its own time; a word changes for all of them at one moment, and reading it costs nothing.
 * The file lies in `/dev/shm` (memory) where there is one, else in the directory for temporary files: then the mapping
 * works just the same, and the kernel writes four kilobytes to a disk now and then.
 */
import {
  closeSync,
  fstatSync,
  ftruncateSync,
  linkSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  statfsSync,
  statSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import koffi from 'koffi'

export interface SharedWords {
  /** Pass it to another process, which opens the same words by it. */
  readonly path: string
  /** The words. Read and write them through `Atomics` alone. */
  readonly words: Int32Array
  /** Removes the file. Those who have it mapped keep their view. */
  unlink(): void
}

const PROT_READ_WRITE = 0x1 | 0x2
const MAP_SHARED = 0x1
/** What `mmap` returns on failure: `(void *) -1`. */
const MAP_FAILED = 2n ** 64n - 1n
const PREFIX = 'orla-words-'

/** Makes a file with `count` words, all zero, and maps it. `directory` is for tests. */
export function createSharedWords(count: number, directory = memoryDirectory()): SharedWords {
  removeStale(directory)
  // mkdtemp gives a name that nobody else has, in a directory (0700) that nobody else may look into.
  const own = mkdtempSync(join(directory, `${PREFIX}${process.pid}-`))
  const path = join(own, 'words')
  const fd = openSync(path, 'wx+', 0o600)
  try {
    ftruncateSync(fd, count * Int32Array.BYTES_PER_ELEMENT)
    return { path, words: map(fd, path), unlink: () => rmSync(own, { recursive: true, force: true }) }
  } finally {
    closeSync(fd)
  }
}

/**
 * The words of a process that will end, as our own: the same memory under a name that does not go with it. Undefined where that cannot be,
 * or where they are not as many.
 */
export function inheritSharedWords(from: string, count: number): SharedWords | undefined {
  const own = mkdtempSync(join(dirname(dirname(from)), `${PREFIX}${process.pid}-`))
  const path = join(own, 'words')
  const unlink = () => rmSync(own, { recursive: true, force: true })
  try {
    linkSync(from, path)
    const words = openSharedWords(path)
    if (words.length === count) return { path, words, unlink }
  } catch {
    // It was killed, and its file removed, or it lies where we may not look.
  }
  unlink()
  return undefined
}

/** Maps the words that another process made. The mapping lasts as long as somebody has the words. */
export function openSharedWords(path: string): Int32Array {
  const fd = openSync(path, 'r+')
  try {
    return map(fd, path)
  } finally {
    closeSync(fd)
  }
}

function map(fd: number, path: string): Int32Array {
  const bytes = fstatSync(fd).size
  const libc = koffi.load(null)
  const mmap = libc.func(
    'void *mmap(void *address, size_t length, int protection, int flags, int fd, int64_t offset)',
  )
  const address: unknown = mmap(null, bytes, PROT_READ_WRITE, MAP_SHARED, fd, 0)
  if (typeof address !== 'bigint' || address === MAP_FAILED) throw new Error(`cannot map ${path}`)
  const buffer = koffi.view(address, bytes)
  unmapper.register(buffer, () => void libc.func('int munmap(void *address, size_t length)')(address, bytes))
  return new Int32Array(buffer)
}

/** A mapping goes when nobody can reach its words any more: only then may nobody read there. */
const unmapper = new FinalizationRegistry<() => void>((unmap) => unmap())

/** Bytes that the place where words lie has room for. */
export function roomForWords(directory = memoryDirectory()): number {
  const { bavail, bsize } = statfsSync(directory)
  return bavail * bsize
}

function memoryDirectory(): string {
  return statSync('/dev/shm', { throwIfNoEntry: false })?.isDirectory() ? '/dev/shm' : tmpdir()
}

/** A process that was killed could not remove its file: whoever starts next does. */
function removeStale(directory: string): void {
  for (const name of readdirSync(directory)) {
    const pid = name.startsWith(PREFIX) ? Number.parseInt(name.slice(PREFIX.length), 10) : Number.NaN
    if (Number.isNaN(pid) || isAlive(pid)) continue
    rmSync(join(directory, name), { recursive: true, force: true })
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // EPERM: it lives, and belongs to another user.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
