/**
 * The body of a stored response: a Buffer, or where it is large a file in memory or on disk, which the kernel sends without a copy.
 *
 * A file's descriptor must go back at a known moment, not when the garbage is collected: in a cache of large bodies that
 * come and go there would be gigabytes of it. So a body is held: by the shelf while it stands there, by an exchange until
 * its answer is out, by a fill that may keep it on. Whoever keeps one across a turn of the event loop holds it. A forgotten
 * `release` only delays (the file closes once nobody can reach it); a forgotten `hold` throws at the next read.
 */
import { MemoryFile } from '../../base/memory-file.ts'
import { readIfWhole, type SentFile } from '../../base/send-file.ts'
import type { DiskBodyWrite, StoredFile } from '../../contract/disk-tier.ts'
import type { Range } from '../ranges/byte-ranges.ts'
import { JoinedBytes } from './parts/joined-bytes.ts'

/** What a file takes beside its pages: inode, dentry, descriptor. */
const FILE_OVERHEAD_BYTES = 1536
const PAGE_BYTES = 4096

export class StoredBody {
  readonly length: number
  /** For who can have the kernel send it. */
  readonly file: SentFile | undefined
  /** Bytes that lie in several other bodies. */
  readonly joined: JoinedBytes | undefined
  readonly #bytes: Buffer | undefined
  /** Who made it is the first. */
  #holders = 1
  /** How many entries of a shelf it stands in. */
  #places = 0
  /** Told when it comes to stand on a shelf, where its memory is counted, and when it stands there no more. */
  onShelf: ((isThere: boolean) => void) | undefined

  /** Where it lies in the tier on disk, as far as is known: then it need not be written again. */
  diskFile: StoredFile | undefined
  /** It is on its way there, and nowhere else. */
  readonly write: DiskBodyWrite | undefined

  constructor(body: Buffer | SentFile | JoinedBytes, write?: DiskBodyWrite) {
    this.length = body.length
    this.write = write
    if (Buffer.isBuffer(body)) this.#bytes = body
    else if (body instanceof JoinedBytes) this.joined = body
    else this.file = body
  }

  /** Its bytes are in a file on disk, which has no place in memory. */
  get isOnDisk(): boolean {
    return this.file !== undefined && !(this.file instanceof MemoryFile)
  }

  /** The same as `read`, where the bytes may lie on disk; undefined: their file is not what it was, and the rest cannot be had. */
  readIfWhole(start: number, end: number): Buffer | undefined {
    return readIfWhole(this, start, end)
  }

  /**
   * The bytes from `start` to before `end`, not to be changed. Of a file it is a copy: ask for pieces. Throws `BrokenFile` where that lies
   * on disk and is not what it was.
   */
  read(start: number, end: number): Buffer {
    return this.#bytes?.subarray(start, end) ?? (this.joined ?? this.file!).read(start, end)
  }

  /** All of it, not to be changed. Of a file it is a copy: for those who need the whole at once. */
  get bytes(): Buffer {
    return this.#bytes ?? this.read(0, this.length)
  }

  hold(): void {
    this.#holders += 1
  }

  release(): void {
    this.#holders -= 1
    if (this.#holders === 0) (this.joined ?? this.file)?.close()
  }

  /** A shelf's `hold`. */
  shelve(): void {
    this.hold()
    this.#places += 1
    if (this.#places === 1) this.onShelf?.(true)
  }

  /** A shelf's `release`. */
  unshelve(): void {
    this.#places -= 1
    if (this.#places === 0) this.onShelf?.(false)
    this.release()
  }

  /** All of it, as a part of it is named. */
  get whole(): Range {
    return { start: 0, end: this.length }
  }

  /** What it takes in memory. */
  get memoryBytes(): number {
    if (this.joined !== undefined) return this.joined.memoryBytes
    if (this.file === undefined) return this.length
    if (this.isOnDisk) return FILE_OVERHEAD_BYTES
    return Math.ceil(this.length / PAGE_BYTES) * PAGE_BYTES + FILE_OVERHEAD_BYTES
  }
}

/** For all who send or keep none. It is held for ever. */
export const EMPTY_BODY = new StoredBody(Buffer.alloc(0))
