/**
 * Notices that a file was removed or replaced under the running program. SQLite does not: it goes on writing into a file without a name,
 * and all of it is lost with the process.
 */
import { statSync } from 'node:fs'

/** Of the file that is at `path` now. What comes back tells what became of it: undefined while it is the same. */
export function fileIdentity(path: string): () => string | undefined {
  const seen = statSync(path)
  return () => {
    const now = statSync(path, { throwIfNoEntry: false })
    if (now === undefined) return `${path} was removed`
    return now.ino === seen.ino && now.dev === seen.dev ? undefined : `${path} was replaced by another file`
  }
}
