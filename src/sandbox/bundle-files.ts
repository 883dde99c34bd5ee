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

/**
 * Bundles with esbuild, and ends its process afterwards: at rest it would cost memory for nothing. What was bundled before is taken while none
 * of its sources has changed: that costs a start some milliseconds instead of hundreds.
 */
export async function makeBundles(directory = runtimeDirectory()): Promise<Bundles> {
  const record = join(directory, `sources-${hashOf(import.meta.url)}.json`)
  const kept = keptBundles(record)
  if (kept) return kept
  const [{ bundleSandbox, bundleGuest }, esbuild] = await Promise.all([
    import('./bundle.ts'),
    import('esbuild'),
  ])
  const [sandbox, guest] = await Promise.all([bundleSandbox(), bundleGuest()])
  await esbuild.stop()
  const bundles = {
    sandbox: writeOnce(directory, `sandbox-${hashOf(sandbox.text)}.mjs`, sandbox.text),
    guest: writeOnce(directory, `guest-${hashOf(guest.text)}.js`, guest.text),
  }
  const files = [...sandbox.sources, ...guest.sources, bundles.sandbox, bundles.guest]
  const hashes = Object.fromEntries(files.map((path) => [path, hashOf(readFileSync(path, 'utf8'))]))
  write(record, JSON.stringify({ ...bundles, hashes } satisfies Made))
  return bundles
}

/** What was bundled, and the hashes of the files that it was made of and of its own. */
interface Made extends Bundles {
  readonly hashes: Readonly<Record<string, string>>
}

function keptBundles(record: string): Bundles | undefined {
  try {
    const { sandbox, guest, hashes } = JSON.parse(readFileSync(record, 'utf8')) as Made
    const isSame = Object.entries(hashes).every(([path, hash]) => hashOf(readFileSync(path, 'utf8')) === hash)
    return isSame ? { sandbox, guest } : undefined
  } catch {
    // Not there, or not what we wrote: it is made anew.
    return undefined
  }
}

const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 16)

/** A file that is there under its hash is right: whoever is root or this user wrote it. */
function writeOnce(directory: string, name: string, text: string): string {
  const path = join(directory, name)
  if (readOrEmpty(path) !== text) write(path, text)
  return path
}

function write(path: string, text: string): void {
  const aside = `${path}.${process.pid}`
  writeFileSync(aside, text, { mode: 0o644 })
  chmodSync(aside, 0o644)
  renameSync(aside, path)
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
