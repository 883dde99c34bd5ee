/**
 * Watches a module and what it imports, by their folders: editors write anew and rename, and an import may come that was not there.
 *
 * Told once things are quiet. Whether anything changed is seen by whoever collects the module again.
 */
import { type FSWatcher, watch } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { ModuleFiles } from './module-files.ts'

/** Editors and formatters take several steps; what comes within this time is one change. */
const QUIET_MS = 100

export class ModuleWatch {
  readonly #watchers = new Map<string, FSWatcher>()
  readonly #onChange: () => void
  readonly #onError: (error: Error) => void
  #timer: NodeJS.Timeout | undefined

  constructor(entry: string, onChange: () => void, onError: (error: Error) => void) {
    this.#onChange = onChange
    this.#onError = onError
    this.#watch(dirname(entry))
  }

  /** What it imports by now. Packages are not watched. */
  follow({ root, files }: ModuleFiles): void {
    for (const file of Object.keys(files))
      if (!file.includes('node_modules/')) this.#watch(dirname(resolve(root, file)))
  }

  close(): void {
    clearTimeout(this.#timer)
    for (const watcher of this.#watchers.values()) watcher.close()
    this.#watchers.clear()
  }

  #watch(folder: string): void {
    if (this.#watchers.has(folder)) return
    try {
      const watcher = watch(folder, (_, name) => {
        if (name !== null && !/\.(?:[mc]?[jt]sx?|json)$/.test(name)) return
        clearTimeout(this.#timer)
        this.#timer = setTimeout(this.#onChange, QUIET_MS)
      })
      watcher.on('error', () => {
        // The folder is gone; it is watched again when a module in it is.
        watcher.close()
        this.#watchers.delete(folder)
      })
      this.#watchers.set(folder, watcher)
    } catch (error) {
      this.#onError(new Error(`${folder} is not watched: ${(error as Error).message}`))
    }
  }
}
