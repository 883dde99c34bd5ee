/** Small files that are there in full, or as they were before: written aside, flushed, renamed. */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'

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

/** What `parse` makes of the JSON in it; undefined where there is no file yet, or where it is damaged, which is told. */
export function readWhole<T>(
  path: string,
  parse: (value: unknown) => T,
  onDamaged: (reason: string) => void,
): T | undefined {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
  try {
    return parse(JSON.parse(text))
  } catch (error) {
    onDamaged(`${path} cannot be read: ${(error as Error).message}`)
    return undefined
  }
}
