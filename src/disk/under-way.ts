/** Bodies that workers are writing: they take room before the index knows them, and are no orphans. */
import { FOLDER_BYTES, folderIndexOf } from './layout.ts'

export class UnderWay {
  readonly #files = new Map<number, number>()
  /** The folders of bodies that there are: each takes a little. */
  readonly #folders = new Set<number>()
  #fileBytes = 0

  /** So many bytes, as far as is known. */
  opened(file: number, bytes: number): void {
    this.#fileBytes += bytes - (this.#files.get(file) ?? 0)
    this.#files.set(file, bytes)
    this.#folders.add(folderIndexOf(file))
  }

  /** False: it was none of them. */
  closed(file: number): boolean {
    this.#fileBytes -= this.#files.get(file) ?? 0
    return this.#files.delete(file)
  }

  has(file: number): boolean {
    return this.#files.has(file)
  }

  foundFolders(indexes: readonly number[]): void {
    for (const index of indexes) this.#folders.add(index)
  }

  get bytes(): number {
    return this.#fileBytes + this.#folders.size * FOLDER_BYTES
  }
}
