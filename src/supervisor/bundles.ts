/**
 * The programs that a sandbox runs, as files: bundled once a version of the sources, by the hash of what they hold.
 *
 * A sandbox may read these files and nothing else, and reads them as another user where the supervisor is root: so the
 * directory is open to all for reading, and lies outside of the data directory, which is not.
 */
import { createHash } from 'node:crypto'
import { chmodSync, lstatSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'

export interface Bundles {
  readonly sandbox: string
  readonly guest: string
}

/** Bundles with esbuild, and ends its process afterwards: at rest it would cost memory for nothing. */
export async function makeBundles(directory = runtimeDirectory()): Promise<Bundles> {
  const [{ bundleSandbox }, { bundleGuest }, esbuild] = await Promise.all([
    import('../sandbox/sandbox-bundle.ts'),
    import('../sandbox/guest-bundle.ts'),
    import('esbuild'),
  ])
  const [sandbox, guest] = await Promise.all([bundleSandbox(), bundleGuest()])
  await esbuild.stop()
  return {
    sandbox: writeOnce(directory, 'sandbox', 'mjs', sandbox),
    guest: writeOnce(directory, 'guest', 'js', guest),
  }
}

/** A file that is there under its hash is right: whoever is root or this user wrote it. */
function writeOnce(directory: string, name: string, extension: string, text: string): string {
  const hash = createHash('sha256').update(text).digest('hex').slice(0, 16)
  const path = join(directory, `${name}-${hash}.${extension}`)
  if (readOrEmpty(path) === text) return path
  const aside = `${path}.${process.pid}`
  writeFileSync(aside, text, { mode: 0o644 })
  chmodSync(aside, 0o644)
  renameSync(aside, path)
  return path
}

/** A directory of this user's in the one for temporary files. Another user's is not trusted, and no link: it could hold another program. */
export function runtimeDirectory(parent = tmpdir()): string {
  const directory = join(parent, `orla-runtime-${userInfo().uid}`)
  mkdirSync(directory, { recursive: true, mode: 0o755 })
  const { uid, mode } = lstatSync(directory)
  if (uid !== userInfo().uid || (mode & 0o022) !== 0) {
    throw new Error(`${directory} belongs to another user or can be written by others: remove it`)
  }
  return directory
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
