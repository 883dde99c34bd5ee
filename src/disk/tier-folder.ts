/** The folder of a tier as its keeper holds it: locked, and with a mark that says whether the index can be believed. */
import { existsSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { bodiesPath, indexPath, lockPath, orderPath } from './layout.ts'
import { makeFolder } from './make-folder.ts'

/** What is written and removed again, to see whether the disk takes anything. */
const PROBE_BYTES = 1024 * 1024

export class TierFolder {
  readonly path: string
  #lock: DatabaseSync | undefined

  constructor(path: string) {
    this.path = path
  }

  /** Makes it where it is missing, and locks it. `isDoubted`: something was wrong with it. Throws what the file system says. */
  take(isDoubted: boolean): void {
    makeFolder(bodiesPath(this.path))
    this.#lock ??= takeLock(this.path)
    if (isDoubted) this.#probe()
  }

  /** False: something had to leave and has not. */
  get isInOrder(): boolean {
    return existsSync(orderPath(this.path))
  }

  setInOrder(): void {
    writeFileSync(orderPath(this.path), '')
  }

  /** Removing a name works on a full disk as well. */
  setOutOfOrder(): void {
    try {
      rmSync(orderPath(this.path), { force: true })
    } catch {
      // A folder that cannot be written is not opened at the next start either.
    }
  }

  /** Which file the index is; undefined: none. */
  get indexInode(): bigint | undefined {
    return statSync(indexPath(this.path), { bigint: true, throwIfNoEntry: false })?.ino
  }

  release(): void {
    this.#lock?.close()
    this.#lock = undefined
  }

  #probe(): void {
    const path = join(this.path, 'probe')
    try {
      writeFileSync(path, Buffer.alloc(PROBE_BYTES, 1))
    } finally {
      rmSync(path, { force: true })
    }
  }
}

/** One node a folder: a lock that dies with its holder. */
function takeLock(folder: string): DatabaseSync {
  const lock = new DatabaseSync(lockPath(folder), { timeout: 0 })
  try {
    lock.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE')
    return lock
  } catch (error) {
    lock.close()
    const isTaken = ((error as { errcode?: number }).errcode ?? 0) % 256 === 5
    throw isTaken ? new Error('another node uses it, or another site of this one') : error
  }
}
