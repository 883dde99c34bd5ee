/**
 * A stored body in its file. No block of it leaves before its checksum was found right since this process began; a file that was touched
 * since is looked at anew.
 *
 * The kernel sends what was checked. What was not is read by a thread of the pool, which brings it into the page cache at the same time; and
 * the kernel is told ahead of what will be wanted.
 */
import { closeSync, constants, openSync, read, readSync } from 'node:fs'
import { crc32 } from 'node:zlib'
import { BrokenFile, sendFile, type SentFile, willNeed } from '../base/send-file.ts'
import type { StoredFile } from '../contract/disk-tier.ts'
import type { CheckedFile, CheckedFiles } from './checked-files.ts'
import { BLOCK_BYTES } from './layout.ts'

/** So much of a file is asked for ahead of what is being sent. */
const AHEAD_BYTES = 4 * 1024 * 1024
/** A sending that takes longer for each MiB waits for the disk: what is in memory takes a tenth of a millisecond. */
const COLD_MS_PER_MIB = 1
/** Then so much behind it is asked for ahead. */
const COLD_BYTES = 16 * 1024 * 1024

/** What is no file is not waited for (a pipe without a writer would hold the worker for ever), and no link is followed out of the folder. */
const OPEN_FLAGS = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW

export class BodyFile implements SentFile {
  readonly length: number
  readonly #file: StoredFile
  readonly #path: string
  readonly #checked: CheckedFiles
  readonly #onBroken: (why: string) => void
  #descriptor: number
  #known: CheckedFile
  #aheadTo = 0
  /** Up to here it is taken for one that has to come from the disk. */
  #coldTo = 1
  #reads = 0
  #isClosed = false

  /** Throws `BrokenFile` where there is no such file, or it has another size, and what the system says where it has no descriptor left. `onBroken`: it is not what it was. */
  constructor(path: string, file: StoredFile, checked: CheckedFiles, onBroken: (why: string) => void) {
    this.#path = path
    this.#file = file
    this.#checked = checked
    this.#onBroken = onBroken
    this.length = file.bytes
    if (checked.isSpoiled(file.id)) throw new BrokenFile(`${path} is not what it was`)
    try {
      this.#descriptor = openSync(path, OPEN_FLAGS)
    } catch (error) {
      // Too many files are open: that says nothing about this one.
      const { code, message } = error as NodeJS.ErrnoException
      throw code === 'EMFILE' || code === 'ENFILE' ? error : new BrokenFile(message)
    }
    try {
      this.#known = checked.of(file.id, this.#descriptor, Math.ceil(file.bytes / BLOCK_BYTES))
      if (this.#known.bytes !== BigInt(file.bytes)) throw new BrokenFile(`${path} has another size`)
    } catch (error) {
      closeSync(this.#descriptor)
      throw error instanceof BrokenFile ? error : new BrokenFile((error as Error).message)
    }
  }

  read(start: number, end: number): Buffer {
    this.#look()
    // Within one that was checked, no more is read than is wanted.
    const from = Math.floor(start / BLOCK_BYTES) * BLOCK_BYTES
    if (this.#checkedTo(start) >= end) return this.#readNow(start, end)
    const blocks = this.#readNow(from, Math.min(Math.ceil(end / BLOCK_BYTES) * BLOCK_BYTES, this.length))
    this.#judgeAll(from, blocks)
    return blocks.subarray(start - from, end - from)
  }

  /** All of it at once, each block checked. */
  readWhole(): Buffer {
    const bytes = this.#readNow(0, this.length)
    this.#judgeAll(0, bytes)
    return bytes
  }

  #judgeAll(from: number, bytes: Buffer): void {
    for (let at = 0, index = from / BLOCK_BYTES; at < bytes.length; at += BLOCK_BYTES, index++)
      this.#judge(index, bytes.subarray(at, at + BLOCK_BYTES))
  }

  #readNow(start: number, end: number): Buffer {
    const bytes = Buffer.allocUnsafeSlow(end - start)
    try {
      for (let at = 0; at < bytes.length;) {
        const count = readSync(this.#descriptor, bytes, at, bytes.length - at, start + at)
        if (count === 0) throw new Error(`${this.#path} is shorter than it was`)
        at += count
      }
    } catch (error) {
      this.#break((error as Error).message)
    }
    return bytes
  }

  #judge(index: number, block: Buffer): void {
    if (crc32(block) !== this.#file.sums.readUInt32LE(index * 4))
      this.#break(`${this.#path} is not what it was`)
    this.#known.blocks[index] = 1
  }

  #break(why: string): never {
    this.#checked.spoil(this.#file.id)
    this.#onBroken(why)
    throw new BrokenFile(why)
  }

  checkedEnd(start: number): number {
    this.#look()
    return this.#checkedTo(start)
  }

  /** As far as is known without another look. */
  #checkedTo(start: number): number {
    const { blocks } = this.#known
    let index = Math.floor(start / BLOCK_BYTES)
    while (index < blocks.length && blocks[index] === 1) index++
    return Math.min(index * BLOCK_BYTES, this.length)
  }

  /** Whether somebody touched it: then nothing of it is known to be right. */
  #look(): void {
    try {
      this.#known = this.#checked.of(this.#file.id, this.#descriptor, this.#known.blocks.length)
    } catch (error) {
      this.#break((error as Error).message)
    }
  }

  check(start: number, done: (isWhole: boolean) => void): void {
    const index = Math.floor(start / BLOCK_BYTES)
    const from = index * BLOCK_BYTES
    const bytes = Buffer.allocUnsafeSlow(Math.min(BLOCK_BYTES, this.length - from))
    this.#reads += 1
    this.#askAhead(from)
    const finish = (error: Error | null, count: number): void => {
      this.#reads -= 1
      let isWhole = false
      try {
        if (error !== null) this.#break(error.message)
        if (count < bytes.length) this.#break(`${this.#path} is shorter than it was`)
        this.#judge(index, bytes)
        isWhole = true
      } catch (broken) {
        if (!(broken instanceof BrokenFile)) throw broken
      }
      if (this.#isClosed) this.#closeNow()
      else done(isWhole)
    }
    read(this.#descriptor, bytes, 0, bytes.length, from, finish)
  }

  sendTo(socket: number, start: number, end: number): number {
    // The kernel looks for each page that it is asked for: where all are in memory, that is a twentieth of the sending.
    if (start < this.#coldTo) this.#askAhead(start)
    const startMs = performance.now()
    const sent = sendFile(socket, this.#descriptor, start, end)
    const mib = Math.max(sent, BLOCK_BYTES) / (1024 * 1024)
    if (performance.now() - startMs > COLD_MS_PER_MIB * mib) this.#coldTo = start + COLD_BYTES
    return sent
  }

  /** In steps of half of it, so that it is one call for several sendings. */
  #askAhead(at: number): void {
    if (this.#aheadTo >= this.length || this.#aheadTo - at > AHEAD_BYTES / 2) return
    const from = Math.max(at, this.#aheadTo)
    this.#aheadTo = at + AHEAD_BYTES
    willNeed(this.#descriptor, from, this.#aheadTo - from)
  }

  close(): void {
    this.#isClosed = true
    this.#closeNow()
  }

  /** A number that goes back to the system while a thread reads by it may be somebody else's file by then. */
  #closeNow(): void {
    if (this.#reads > 0 || this.#descriptor < 0) return
    closeSync(this.#descriptor)
    this.#descriptor = -1
  }
}
