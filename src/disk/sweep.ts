/**
 * Looks for what a death left behind: files that no row knows. It goes from folder to folder, so that no more than a few thousand names
 * are in memory, and lets others have their turn in between. On its way it counts what is really there.
 */
import { readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { bodiesPath, diskBytes, FOLDERS, folderName, idOf, idsOf } from './layout.ts'

/** A younger file may be on its way into the index. */
const ORPHAN_AGE_MS = 60_000

export interface SweepOptions {
  readonly folder: string
  /** The files that the index knows, from one id to before another. */
  filesOf(from: number, to: number): readonly { readonly file: number; readonly size: number }[]
  /** It is being written, or about to be stored. */
  isUnderWay(file: number): boolean
  now(): number
  isOver(): boolean
}

export interface Swept {
  readonly orphans: number
  /** Which of the folders there are. */
  readonly folders: readonly number[]
  /** By the index: what files take. */
  readonly fileBytes: number
}

/** Undefined where it was called off. Throws what the file system or the index says. */
export async function sweepOrphans(options: SweepOptions): Promise<Swept | undefined> {
  let orphans = 0
  const folders: number[] = []
  let fileBytes = 0
  for (let index = 0; index < FOLDERS; index++) {
    const path = join(bodiesPath(options.folder), folderName(index))
    const names = await namesIn(path)
    if (options.isOver()) return undefined
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
      if (options.isOver()) return undefined
      if (stats === undefined || options.now() - stats.mtimeMs < ORPHAN_AGE_MS) continue
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
