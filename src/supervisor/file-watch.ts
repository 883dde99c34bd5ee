/**
 * Watches one file by its folder: editors write a new file and rename it over the old one, which a watch of the file itself
 * would not outlive. Told once things are quiet, and only where the text is another one than at the last time.
 */
import { lstatSync, readFileSync, watch } from 'node:fs'
import { basename, dirname } from 'node:path'

/** Writers take several steps; what comes within this time is one change. */
const QUIET_MS = 150

export interface FileWatch {
  close(): void
}

/** `onError` is told where the file cannot be watched (any more). */
export function watchText(path: string, onChange: () => void, onError: (error: Error) => void): FileWatch {
  let seen = textOf(path)
  let timer: NodeJS.Timeout | undefined
  const look = () => {
    timer = undefined
    const text = textOf(path)
    // Gone for the moment in which it is replaced, or for good: there is nothing to read in either case.
    if (text === undefined || text === seen) return
    seen = text
    onChange()
  }
  // A link is moved by changing what it leads through, as Kubernetes does it: then any name in the folder may be the one.
  const isLink = lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() ?? false
  try {
    const watcher = watch(dirname(path), { persistent: false }, (_, name) => {
      if (!isLink && name !== null && name !== basename(path)) return
      clearTimeout(timer)
      timer = setTimeout(look, QUIET_MS).unref()
    })
    watcher.on('error', onError)
    return {
      close() {
        clearTimeout(timer)
        watcher.close()
      },
    }
  } catch (error) {
    onError(error as Error)
    return { close: () => {} }
  }
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
