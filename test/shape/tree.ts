/** The files of the project as it is checked out: what a person would read, without what is installed or made. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT = fileURLToPath(new URL('../..', import.meta.url))

const NOT_OURS = new Set(['node_modules', '.git', '.cache', '.orla-demo', 'data', 'dist'])

/** Paths from the root, of all files below `folder`. */
export function filesBelow(folder = ''): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    if (NOT_OURS.has(entry.name)) return []
    const path = join(folder, entry.name)
    return entry.isDirectory() ? filesBelow(path) : [path]
  })
}

export const textOf = (path: string): string => readFileSync(join(ROOT, path), 'utf8')
