/**
 * A body on its way into the cache, piece by piece; its length may not be known.
 *
 * It begins in a Buffer, and moves into a file in memory once it is large enough to be worth a descriptor: at once where
 * the length was declared. Where there is no file to be had it stays in its Buffer.
 *
 * Where it is too large for memory and there is a tier on disk, it goes there as it comes, and what was gathered before goes along.
 *
 * It can be read while it comes (`follow`): by a client that is slower than the origin.
 */
import { MemoryFile } from '../../base/memory-file.ts'
import { readIfWhole } from '../../base/send-file.ts'
import type { DiskBodyWrite } from '../../contract/disk-tier.ts'
import { StoredBody } from './stored-body.ts'

/** From this size the kernel sends a file with less work than it copies a Buffer. See docs/performance.md. */
export const FILE_BYTES_MIN = 128 * 1024
/** The first piece of memory for a body whose length is not known. */
const FIRST_BYTES = 16 * 1024
const NO_BYTES = Buffer.alloc(0)

/** A body of this size whose length nobody knows goes to the disk, where there is one: it may become any size. */
const UNKNOWN_BYTES_MAX = 1024 * 1024
/** What was in memory goes to the disk in pieces of this size. */
const MOVED_BYTES = 256 * 1024

/** Where bodies go that are too large for memory. */
export interface DiskRoom {
  readonly objectBytesMax: number
  /** Undefined: there is no room. */
  open(declaredBytes: number): DiskBodyWrite | undefined
}

/** Memory is asked for before it is taken. */
export interface Room {
  reserve(bytes: number): boolean
  release(bytes: number): void
  /** Counts what is there already, whatever room there is: the others have less until it is released. */
  charge(bytes: number): void
}

export class BodyGathering {
  length = 0
  readonly #room: Room
  readonly #declaredBytes: number
  readonly #bytesMax: number
  #buffer: Buffer = NO_BYTES
  #file: MemoryFile | undefined
  #isFileSought = false
  readonly #disk: DiskRoom | undefined
  #isDiskSought = false
  #write: DiskBodyWrite | undefined
  #reservedBytes = 0
  #trails = 0
  /** It was taken or discarded. */
  #isOver = false
  /** What was taken while a trail is open. */
  #taken: StoredBody | undefined

  /**
   * `declaredBytes` may be 0 where nothing is known. No more than `bytesMax` are ever held in memory; without a disk, no more than that
   * are ever appended.
   */
  constructor(room: Room, declaredBytes: number, bytesMax: number, disk?: DiskRoom) {
    this.#disk = disk
    this.#room = room
    this.#declaredBytes = declaredBytes
    this.#bytesMax = bytesMax
  }

  /** Copies the piece. False: there is no room for it. */
  append(chunk: Uint8Array): boolean {
    const bytes = this.length + chunk.length
    if (this.#disk !== undefined && !this.#isDiskSought) this.#seekDisk(this.#disk, bytes)
    if (this.#write !== undefined) {
      if (!this.#write.append(chunk)) return false
      this.length = bytes
      return true
    }
    if (bytes > this.#bytesMax) return false
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

  /**
   * Reads from here on, or from the byte that is given, behind those who append. Until the trail is closed, what was gathered stays, also when the body is taken or
   * discarded. It counts here all the while, but where the body is on the shelf: there it counts already.
   */
  follow(at = this.length): BodyTrail {
    this.#trails += 1
    return new BodyTrail(this, at)
  }

  /** For a trail: bytes that were gathered, not to be changed. */
  read(start: number, end: number): Buffer {
    return (this.#taken ?? this.#write ?? this.#file)?.read(start, end) ?? this.#buffer.subarray(start, end)
  }

  /** For a trail: it is closed. */
  leave(): void {
    this.#trails -= 1
    if (this.#isOver) this.#letGo()
  }

  /** The body, which is the caller's to release. Without a trail, its memory is no longer counted here. */
  take(): StoredBody {
    const body = new StoredBody(this.#write ?? this.#file ?? this.#exactBuffer(), this.#write)
    this.#file = undefined
    this.#write = undefined
    this.#buffer = NO_BYTES
    if (this.#trails > 0) {
      body.hold()
      this.#taken = body
      body.onShelf = (isThere) => this.#recount(isThere || body.isOnDisk ? 0 : body.length)
    }
    this.discard()
    return body
  }

  /** Gives back everything; where trails are open, once the last of them is closed. */
  discard(): void {
    this.#isOver = true
    this.#letGo()
  }

  #letGo(): void {
    if (this.#trails > 0) return
    if (this.#taken !== undefined) {
      this.#taken.onShelf = undefined
      this.#taken.release()
      this.#taken = undefined
    }
    this.#file?.close()
    this.#file = undefined
    this.#write?.close()
    this.#write = undefined
    this.#buffer = NO_BYTES
    this.#room.release(this.#reservedBytes)
    this.#reservedBytes = 0
  }

  #recount(bytes: number): void {
    this.#room.release(this.#reservedBytes)
    this.#room.charge(bytes)
    this.#reservedBytes = bytes
  }

  /** More waits for the disk than should: `onRelief` is told when it does not any more. */
  waitsForDisk(onRelief: () => void): boolean {
    const write = this.#write
    if (write?.isCongested !== true) return false
    write.onRelief = () => {
      write.onRelief = undefined
      onRelief()
    }
    return true
  }

  #seekDisk(disk: DiskRoom, bytes: number): void {
    const isLarge = Math.max(bytes, this.#declaredBytes) > this.#bytesMax
    if (!isLarge && (this.#declaredBytes > 0 || bytes <= UNKNOWN_BYTES_MAX)) return
    this.#isDiskSought = true
    const write = disk.open(this.#declaredBytes)
    if (write === undefined) return
    for (let at = 0; at < this.length; at += MOVED_BYTES) {
      if (write.append(this.read(at, Math.min(this.length, at + MOVED_BYTES)))) continue
      write.discard()
      write.close()
      return
    }
    this.#file?.close()
    this.#file = undefined
    this.#buffer = NO_BYTES
    this.#room.release(this.#reservedBytes)
    this.#reservedBytes = 0
    this.#write = write
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

/** The place up to which somebody has read what is being gathered. */
export class BodyTrail {
  readonly #gathering: BodyGathering
  #at: number
  #isClosed = false

  constructor(gathering: BodyGathering, at: number) {
    this.#gathering = gathering
    this.#at = at
  }

  /** Bytes that were gathered and not read; none once it is closed. */
  get left(): number {
    return this.#isClosed ? 0 : this.#gathering.length - this.#at
  }

  /** The next of them, so many at most. Not to be changed. Undefined: they lie in a file that is not what it was, and cannot be had. */
  read(bytesMax: number): Buffer | undefined {
    const start = this.#at
    this.#at += Math.min(this.left, bytesMax)
    return readIfWhole(this.#gathering, start, this.#at)
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#gathering.leave()
  }
}
