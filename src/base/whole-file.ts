/** Small files that are there in full, or as they were before: written aside, flushed, renamed. */
import { closeSync, fsyncSync, openSync, renameSync, writeSync } from 'node:fs'

/** Throws what the system says; then the file is as it was. For its owner alone. */
export function writeWhole(path: string, text: string): void {
  const aside = `${path}.new`
  const fd = openSync(aside, 'w', 0o600)
  try {
    writeSync(fd, text)
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
  renameSync(aside, path)
}
