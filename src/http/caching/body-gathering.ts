/**
 * A body on its way into the cache, piece by piece; its length may not be known.
 *
 * It begins in a Buffer, and moves into a file in memory once it is large enough to be worth a descriptor: at once where
 * the length was declared. Where there is no file to be had it stays in its Buffer.
 */
import { MemoryFile } from '../../base/memory-file.ts'
import { StoredBody } from './stored-body.ts'

/** From this size the kernel sends a file with less work than it copies a Buffer. See docs/performance.md. */
export const FILE_BYTES_MIN = 128 * 1024
/** The first piece of memory for a body whose length is not known. */
const FIRST_BYTES = 16 * 1024
const NO_BYTES = Buffer.alloc(0)

/** Memory is asked for before it is taken. */
export interface Room {
  reserve(bytes: number): boolean
  release(bytes: number): void
}

export class BodyGathering {
  length = 0
  readonly #room: Room
  readonly #declaredBytes: number
  readonly #bytesMax: number
  #buffer: Buffer = NO_BYTES
  #file: MemoryFile | undefined
  #isFileSought = false
  #reservedBytes = 0

  /** `declaredBytes` may be 0 where nothing is known. No more than `bytesMax` are ever appended. */
  constructor(room: Room, declaredBytes: number, bytesMax: number) {
    this.#room = room
    this.#declaredBytes = declaredBytes
    this.#bytesMax = bytesMax
  }

  /** Copies the piece. False: there is no room for it. */
  append(chunk: Uint8Array): boolean {
    const bytes = this.length + chunk.length
    if (!this.#isFileSought && Math.max(bytes, this.#declaredBytes) >= FILE_BYTES_MIN) this.#moveToFile()
    if (this.#file !== undefined) {
      if (!this.#reserve(bytes) || !this.#file.append(chunk)) return false
    } else {
      if (bytes > this.#buffer.length && !this.#grow(bytes)) return false
      this.#buffer.set(chunk, this.length)
    }
    this.length = bytes
    return true
  }

  /** The body, which is the caller's to release. Its memory is no longer counted here. */
  take(): StoredBody {
    const body = new StoredBody(this.#file ?? this.#exactBuffer())
    this.#file = undefined
    this.discard()
    return body
  }

  /** Gives back everything. */
  discard(): void {
    this.#file?.close()
    this.#file = undefined
    this.#buffer = NO_BYTES
    this.#room.release(this.#reservedBytes)
    this.#reservedBytes = 0
  }

  #moveToFile(): void {
    this.#isFileSought = true
    const file = MemoryFile.create()
    if (file === undefined) return
    if (file.append(this.#buffer.subarray(0, this.length))) {
      this.#file = file
      this.#buffer = NO_BYTES
    } else file.close()
  }

  /** Room for `bytes` in all: exactly the length that was declared, else twice what there is. */
  #grow(bytes: number): boolean {
    const isDeclared = this.#declaredBytes >= bytes
    const wanted = isDeclared ? this.#declaredBytes : Math.max(bytes, FIRST_BYTES, this.#buffer.length * 2)
    const capacity = Math.min(wanted, this.#bytesMax)
    if (!this.#reserve(capacity)) return false
    // Not from Node's pool: a small body would keep the whole of its slab alive.
    const grown = Buffer.allocUnsafeSlow(capacity)
    this.#buffer.copy(grown, 0, 0, this.length)
    this.#buffer = grown
    return true
  }

  #reserve(bytes: number): boolean {
    const more = bytes - this.#reservedBytes
    if (more <= 0) return true
    if (!this.#room.reserve(more)) return false
    this.#reservedBytes = bytes
    return true
  }

  /** The body in memory of just its size. */
  #exactBuffer(): Buffer {
    if (this.#buffer.length === this.length) return this.#buffer
    const exact = Buffer.allocUnsafeSlow(this.length)
    this.#buffer.copy(exact, 0, 0, this.length)
    return exact
  }
}
