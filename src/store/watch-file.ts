/**
 * Notices that the store's file was removed, replaced or cut under the running program. SQLite does not: it goes on
 * writing into a file without a name, and what it acknowledged would be lost with the process.
 */
import { statSync, type Stats } from 'node:fs'
import { EdgeError } from '../base/errors.ts'

export interface FileWatch {
  /** Throws `store-missing` or `store-corrupt`. Costs two `stat` calls, some microseconds. */
  assert(): void
  /** The write-ahead log may have become shorter by rights: another program wrote, or it was emptied. They are the same files all the same. */
  allowShorter(): void
}

/** Watches the database at `path` and its write-ahead log, both of which exist by now. Neither ever shrinks while open. */
export function watchFile(path: string): FileWatch {
  const files = [path, `${path}-wal`].map((path) => {
    const seen = statSync(path)
    return { path, inode: seen.ino, device: seen.dev, bytes: seen.size }
  })
  return {
    assert() {
      for (const file of files) {
        const now: Stats | undefined = statSync(file.path, { throwIfNoEntry: false })
        if (now === undefined) throw new EdgeError('store-missing', `${file.path} was removed`)
        if (now.ino !== file.inode || now.dev !== file.device) {
          throw new EdgeError('store-missing', `${file.path} was replaced by another file`)
        }
        if (now.size < file.bytes) {
          throw new EdgeError('store-corrupt', `${file.path} was cut from ${file.bytes} to ${now.size} bytes`)
        }
        file.bytes = now.size
      }
    },
    allowShorter() {
      for (const file of files) file.bytes = 0
    },
  }
}
