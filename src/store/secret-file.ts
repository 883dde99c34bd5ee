/** Small files that only their owner may read: the key of secrets, the token of the control plane. */
import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { storeError } from '../base/sqlite-failure.ts'
import { syncDirectory } from './schema.ts'

/** Written whole under another name first: half a key would lock everybody out. The directory's lock keeps others away. */
export function writeSecretFile(path: string, text: string): void {
  try {
    writeFileSync(`${path}.new`, `${text}\n`, { mode: 0o600, flush: true })
    renameSync(`${path}.new`, path)
    // Before anything is sealed with a key whose name would not outlive the machine.
    syncDirectory(dirname(path))
  } catch (error) {
    rmSync(`${path}.new`, { force: true })
    throw storeError(path, error)
  }
}
