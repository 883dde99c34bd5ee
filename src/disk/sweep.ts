/**
 * Looks for what a death left behind: files that no row knows. It goes from folder to folder, so that no more than a few thousand names
 * are in memory, and lets others have their turn in between. On its way it counts what is really there.
 */
import { readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { bodiesPath, diskBytes, FOLDERS, folderName, idOf, idsOf } from './layout.ts'

/** After a first look right away, and one as soon as what was being written at the start is old enough, they are looked for after this. */
const SWEEP_EVERY_MS = 60 * 60_000
const SWEEP_AGAIN_MS = 90_000
/** A younger file may be on its way into the index. */
const ORPHAN_AGE_MS = 60_000

export interface SweepOptions {
  readonly folder: string
  /** The files that the index knows, from one id to before another. */
  filesOf(from: number, to: number): readonly { readonly file: number; readonly size: number }[]
  /** It is being written, or about to be stored. */
  isUnderWay(file: number): boolean
  onSwept(swept: Swept): void
  /** The file system or the index says that something is wrong; there is no further look. */
  onError(error: Error): void
}

export interface Swept {
  readonly orphans: number
  /** Which of the folders there are. */
  readonly folders: readonly number[]
  /** By the index: what files take. */
  readonly fileBytes: number
}

/** Looks at once, and again and again until it is stopped. */
export class Sweeper {
  readonly #options: SweepOptions
  #timer: NodeJS.Timeout
  #isOver = false

  constructor(options: SweepOptions) {
    this.#options = options
    this.#timer = setTimeout(() => void this.#sweep(SWEEP_AGAIN_MS), 0)
  }

  stop(): void {
    this.#isOver = true
    clearTimeout(this.#timer)
  }

  async #sweep(nextMs: number): Promise<void> {
    try {
      const swept = await sweepOrphans(this.#options, () => this.#isOver)
      if (swept === undefined) return
      this.#options.onSwept(swept)
    } catch (error) {
      if (!this.#isOver) this.#options.onError(error as Error)
      return
    }
    this.#timer = setTimeout(() => void this.#sweep(SWEEP_EVERY_MS), nextMs)
  }
}

/** Undefined where it was called off. Throws what the file system or the index says. */
async function sweepOrphans(options: SweepOptions, isOver: () => boolean): Promise<Swept | undefined> {
  let orphans = 0
  const folders: number[] = []
  let fileBytes = 0
  for (let index = 0; index < FOLDERS; index++) {
    const path = join(bodiesPath(options.folder), folderName(index))
    const names = await namesIn(path)
    if (isOver()) return undefined
    if (names !== undefined) folders.push(index)
    const known = new Set<number>()
    for (const { file, size } of options.filesOf(...idsOf(index))) {
      known.add(file)
      fileBytes += diskBytes(size)
    }
    for (const name of names ?? []) {
      const id = idOf(name)
      if (id !== undefined && (known.has(id) || options.isUnderWay(id))) continue
      const file = join(path, name)
      const stats = await stat(file).catch(() => undefined)
      if (isOver()) return undefined
      if (stats === undefined || Date.now() - stats.mtimeMs < ORPHAN_AGE_MS) continue
      // It may have come into the index since the folder was read; then it is younger than it looks.
      if (id !== undefined && options.filesOf(id, id + 1).length > 0) continue
      await rm(file, { force: true, recursive: true })
      orphans += 1
    }
    await new Promise(setImmediate)
  }
  return { orphans, folders, fileBytes }
}

async function namesIn(path: string): Promise<readonly string[] | undefined> {
  try {
    return await readdir(path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return undefined
    throw error
  }
}
