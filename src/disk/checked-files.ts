/**
 * Which blocks of which files were found to be right since this process began, and as what file: one that nobody touched since is right
 * still, and need not be read again before the kernel sends it.
 */
import { type BigIntStats, fstatSync } from 'node:fs'

/** Files that are remembered; the one that was opened longest ago is forgotten. */
const FILES_MAX = 16_384
const SPOILED_MAX = 1024

export interface CheckedFile {
  readonly inode: bigint
  readonly modifiedNs: bigint
  readonly changedNs: bigint
  readonly bytes: bigint
  /** 1 for each block that is right. */
  readonly blocks: Uint8Array
}

export class CheckedFiles {
  readonly #files = new Map<number, CheckedFile>()
  readonly #spoiled = new Set<number>()

  /** What is known of the file that is open; nothing where it is another one, or was touched. Throws what `fstat` does. */
  of(id: number, descriptor: number, blocks: number): CheckedFile {
    const stats = fstatSync(descriptor, { bigint: true })
    const known = this.#files.get(id)
    if (known !== undefined && isSame(known, stats)) {
      this.#files.delete(id)
      this.#files.set(id, known)
      return known
    }
    const file = {
      inode: stats.ino,
      modifiedNs: stats.mtimeNs,
      changedNs: stats.ctimeNs,
      bytes: stats.size,
      blocks: new Uint8Array(blocks),
    }
    this.#files.delete(id)
    this.#files.set(id, file)
    if (this.#files.size > FILES_MAX) this.#files.delete(this.#files.keys().next().value!)
    return file
  }

  /** It is not what it was: it is not to be opened again, until the keeper has dropped what it is of. */
  spoil(id: number): void {
    this.#files.delete(id)
    if (this.#spoiled.size >= SPOILED_MAX) this.#spoiled.clear()
    this.#spoiled.add(id)
  }

  isSpoiled(id: number): boolean {
    return this.#spoiled.has(id)
  }

  clear(): void {
    this.#files.clear()
  }
}

function isSame(known: CheckedFile, stats: BigIntStats): boolean {
  return (
    known.inode === stats.ino &&
    known.bytes === stats.size &&
    known.modifiedNs === stats.mtimeNs &&
    // Of a file that was removed while it is being sent, only that has changed.
    (known.changedNs === stats.ctimeNs || stats.nlink === 0n)
  )
}
