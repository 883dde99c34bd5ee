/** Makes a folder and those above it. Node's own way never returns where a file system says that a folder that is there is not: /proc does. */
import { existsSync, mkdirSync } from 'node:fs'
import { dirname } from 'node:path'

/** Throws what the file system says. */
export function makeFolder(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    // What is there and no folder is found out by who uses it.
    if (code === 'EEXIST') return
    if (code !== 'ENOENT' || existsSync(dirname(path))) throw error
    makeFolder(dirname(path))
    mkdirSync(path, { mode: 0o700 })
  }
}
