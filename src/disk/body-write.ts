/**
 * A body on its way into its file: gathered into blocks, each written by itself while the next ones come.
 *
 * It can be read meanwhile, and after: what has not reached the file is still here. A disk that does not take it changes nothing for who
 * reads; it will not be stored then. Bytes are summed as they come, so a file that the disk changes on its way is found out.
 */
import { type BigIntStats, closeSync, fstatSync, openSync, readSync, write } from 'node:fs'
import { rm } from 'node:fs/promises'
import { crc32 } from 'node:zlib'
import { BrokenFile, sendFile } from '../base/send-file.ts'
import type { DiskBodyWrite, StoredFile } from '../contract/disk-tier.ts'
import { BLOCK_BYTES, bodyPath, folderOf } from './layout.ts'
import { makeFolder } from './make-folder.ts'

/** What waits for the disk before the origin is asked to wait. */
const CONGESTED_BYTES = 4 * 1024 * 1024
/** A disk so far behind does not keep up: the body is not stored. Whoever pauses an origin never comes here. */
const BEHIND_BYTES = 32 * 1024 * 1024

interface Block {
  readonly index: number
  bytes: Buffer
  length: number
}

export interface BodyWriteEvents {
  onError(error: Error): void
  /** It will not be stored; the file is gone. */
  onDiscard(id: number): void
  /** So many more bytes than before. */
  onGrow(bytes: number): void
}

export class BodyWrite implements DiskBodyWrite {
  readonly id: number
  length = 0
  onRelief: (() => void) | undefined = undefined
  readonly #path: string
  readonly #declaredBytes: number
  readonly #events: BodyWriteEvents
  #descriptor: number
  /** What is not in the file yet, oldest first; the last one may be filling. */
  readonly #blocks: Block[] = []
  #filling: Block | undefined
  readonly #sums: number[] = []
  #underWay = 0
  #isFailed = false
  #isDiscarded = false
  #isFinished = false
  #isClosed = false
  /** As it was when the last of it had been written. */
  #whole: BigIntStats | undefined
  #onWritten: ((file: StoredFile | undefined) => void) | undefined

  /** Opens the file. `declaredBytes` may be 0 where nothing is known. Throws what the file system says. */
  constructor(folder: string, id: number, declaredBytes: number, events: BodyWriteEvents) {
    this.id = id
    this.#declaredBytes = declaredBytes
    this.#path = bodyPath(folder, id)
    this.#events = events
    this.#descriptor = open(folder, id, this.#path)
  }

  append(piece: Uint8Array): boolean {
    if (this.#isFailed || this.#isDiscarded || this.#waitingBytes > BEHIND_BYTES) return false
    for (let at = 0; at < piece.length;) {
      const block = (this.#filling ??= this.#newBlock())
      if (block.length === block.bytes.length) block.bytes = grown(block.bytes)
      const part = piece.subarray(at, at + block.bytes.length - block.length)
      block.bytes.set(part, block.length)
      block.length += part.length
      at += part.length
      this.length += part.length
      if (block.length === BLOCK_BYTES) this.#writeBlock(block)
    }
    return true
  }

  get isCongested(): boolean {
    return this.#waitingBytes > CONGESTED_BYTES && !this.#isFailed
  }

  /** The body is whole. `onWritten` is told when all of it is in the file; undefined: it never will be. */
  finish(onWritten: (file: StoredFile | undefined) => void): void {
    this.#isFinished = true
    this.#onWritten = onWritten
    if (this.#filling !== undefined && !this.#isFailed) this.#writeBlock(this.#filling)
    this.#settle()
  }

  discard(): void {
    if (this.#isDiscarded) return
    this.#isDiscarded = true
    // A disk that does not even let it go has said so before, and what stays there is found by the next sweep.
    void rm(this.#path, { force: true }).catch(() => undefined)
    this.#events.onDiscard(this.id)
    this.#settle()
  }

  read(start: number, end: number): Buffer {
    const bytes = Buffer.allocUnsafeSlow(end - start)
    let at = start
    while (at < end) {
      const index = Math.floor(at / BLOCK_BYTES)
      const waiting = this.#blocks.find((block) => block.index === index)
      const blockEnd = Math.min(end, (index + 1) * BLOCK_BYTES)
      if (waiting !== undefined) {
        waiting.bytes.copy(bytes, at - start, at - index * BLOCK_BYTES, blockEnd - index * BLOCK_BYTES)
        at = blockEnd
      } else {
        const count = this.#readFile(bytes, at - start, blockEnd - at, at)
        if (count === 0) throw new BrokenFile(`${this.#path} is shorter than what was written`)
        at += count
      }
    }
    return bytes
  }

  #readFile(into: Buffer, offset: number, length: number, position: number): number {
    try {
      return readSync(this.#descriptor, into, offset, length, position)
    } catch (error) {
      throw new BrokenFile(`${this.#path}: ${(error as Error).message}`)
    }
  }

  sendTo(socket: number, start: number, end: number): number {
    const first = this.#blocks[0]
    const written = first === undefined ? this.length : first.index * BLOCK_BYTES
    return start >= written ? 0 : sendFile(socket, this.#descriptor, start, Math.min(end, written))
  }

  /** Throws where somebody else has written to it since it was whole. */
  checkedEnd(): number {
    if (this.#whole !== undefined) {
      const { mtimeNs, size } = fstatSync(this.#descriptor, { bigint: true })
      if (mtimeNs !== this.#whole.mtimeNs || size !== this.#whole.size)
        throw new BrokenFile(`${this.#path} is not what was written`)
    }
    return this.length
  }

  close(): void {
    this.#isClosed = true
    if (!this.#isFinished && !this.#isDiscarded) this.discard()
    else this.#settle()
  }

  get #waitingBytes(): number {
    return this.#underWay * BLOCK_BYTES
  }

  #newBlock(): Block {
    const left = this.#declaredBytes - this.length
    const bytes = Buffer.allocUnsafeSlow(left > 0 ? Math.min(left, BLOCK_BYTES) : BLOCK_BYTES)
    const block = { index: Math.floor(this.length / BLOCK_BYTES), bytes, length: 0 }
    this.#blocks.push(block)
    this.#events.onGrow(bytes.length)
    return block
  }

  #writeBlock(block: Block): void {
    this.#filling = undefined
    this.#sums.push(crc32(block.bytes.subarray(0, block.length)))
    this.#underWay += 1
    this.#writeRest(block, 0)
  }

  #writeRest(block: Block, from: number): void {
    const position = block.index * BLOCK_BYTES + from
    write(this.#descriptor, block.bytes, from, block.length - from, position, (error, count) => {
      if (error === null && from + count < block.length) return this.#writeRest(block, from + count)
      const wasCongested = this.isCongested
      this.#underWay -= 1
      // What failed stays here, for who reads.
      if (error === null) this.#blocks.splice(this.#blocks.indexOf(block), 1)
      else this.#fail(error)
      if (wasCongested && !this.isCongested) this.onRelief?.()
      this.#settle()
    })
  }

  #fail(error: Error): void {
    if (this.#isFailed) return
    this.#isFailed = true
    this.#events.onError(error)
    // An origin that waits for the disk waits in vain.
    this.onRelief?.()
  }

  #settle(): void {
    if (this.#underWay > 0) return
    const onWritten = this.#onWritten
    if (onWritten !== undefined && (this.#isFailed || this.#isDiscarded || this.#filling === undefined)) {
      this.#onWritten = undefined
      const isWhole = !this.#isFailed && !this.#isDiscarded
      if (!isWhole) this.discard()
      else this.#whole = fstatSync(this.#descriptor, { bigint: true })
      const sums = Buffer.from(Uint32Array.from(this.#sums).buffer)
      onWritten(isWhole ? { id: this.id, bytes: this.length, sums } : undefined)
    }
    if (this.#isClosed && this.#underWay === 0 && this.#descriptor >= 0) {
      closeSync(this.#descriptor)
      this.#descriptor = -1
    }
  }
}

/** More came than was declared. */
function grown(bytes: Buffer): Buffer {
  const larger = Buffer.allocUnsafeSlow(BLOCK_BYTES)
  bytes.copy(larger)
  return larger
}

/** Makes the file, and the folder where it is the first there. */
function open(folder: string, id: number, path: string): number {
  try {
    return openSync(path, 'wx+', 0o600)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    makeFolder(folderOf(folder, id))
    return openSync(path, 'wx+', 0o600)
  }
}
