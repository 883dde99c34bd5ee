/**
 * A copy of the data directory in one file, while its node runs and is written to.
 *
 * Each database is copied within one read transaction of a second connection: the copy is what was committed when it
 * began, and neither waits for the other. The key/value data is copied after the log, so it may be some moments newer. The
 * node needs not be asked: whoever may read the folder can do this, whether it runs or not.
 */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs'
import { copyFile, type FileHandle, open, rename } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { backup, DatabaseSync } from 'node:sqlite'
import { EdgeError } from '../base/errors.ts'
import { storeError } from '../base/sqlite-failure.ts'
import { VERSION } from '../base/version.ts'
import { KV_SCHEMA_VERSION } from '../kv/file.ts'
import { syncDirectory, SCHEMA_VERSION } from '../store/schema.ts'
import { inspectStore } from '../store/inspect.ts'
import { BACKUP_FORMAT, isPartName, type Manifest, MANIFEST, type Part, sealManifest } from './manifest.ts'
import { BLOCK, decodeHeader, encodeHeader, fillOf, readFully } from './tar.ts'

/** Without them secrets of units cannot be opened; with them whoever has the backup can. */
const KEY_FILES = ['orla.key', 'orla.key.before', 'control.token']
/** Accounts and certificates with their private keys. */
const KEY_FOLDERS = ['acme']
const PIECE = 1 << 20
/** Pages of a database that are copied between two reports. */
const PAGES = 2048

export interface BackupOptions {
  readonly withKeys: boolean
  readonly now: () => number
  readonly onProgress: (part: string, done: number, total: number) => void
}

/** Writes the backup aside and renames it to `path` when it is whole. Throws `EdgeError`. */
export async function takeBackup(folder: string, path: string, options: BackupOptions): Promise<Manifest> {
  if (!existsSync(join(folder, 'orla.db'))) {
    throw new EdgeError('store-missing', `there is no orla.db in ${folder}`, {
      hint: 'name the data directory of a node with --folder',
    })
  }
  if (!existsSync(dirname(path))) {
    throw new EdgeError('file-unreadable', `${path} cannot be written: there is no folder ${dirname(path)}`, {
      hint: 'make the folder, or name another FILE',
    })
  }
  await assertReplaceable(path)
  const aside = `${path}.${process.pid}.new`
  try {
    mkdirSync(aside, { mode: 0o700 })
    const manifest = await gather(folder, aside, options)
    const whole = join(aside, 'whole')
    await writeTar(whole, aside, manifest)
    await rename(whole, path)
    syncDirectory(dirname(path))
    return manifest
  } catch (error) {
    throw storeError(path, error)
  } finally {
    rmSync(aside, { recursive: true, force: true })
  }
}

/** An older backup may be written over; a slip of the hand that names a database, or a device, may not. */
async function assertReplaceable(path: string): Promise<void> {
  const there = statSync(path, { throwIfNoEntry: false })
  if (!there) return
  const file = there.isFile() ? await open(path) : undefined
  try {
    const head = file && decodeHeader(await readFully(file, 0, Buffer.alloc(BLOCK)))
    if (typeof head === 'object' && head.name === MANIFEST) return
  } finally {
    await file?.close()
  }
  throw new EdgeError('file-unreadable', `${path} is there already, and is no backup`, {
    hint: 'give another name: only an older backup is written over',
  })
}

async function gather(folder: string, aside: string, options: BackupOptions): Promise<Manifest> {
  await copyDatabase(folder, aside, 'orla.db', options)
  const { position } = inspectStore(join(aside, 'orla.db'))
  const names = ['orla.db']
  if (existsSync(join(folder, 'kv.db'))) {
    await copyDatabase(folder, aside, 'kv.db', options)
    names.push('kv.db')
  }
  for (const name of options.withKeys ? keyFiles(folder) : []) {
    mkdirSync(dirname(join(aside, name)), { recursive: true, mode: 0o700 })
    await copyFile(join(folder, name), join(aside, name))
    names.push(name)
  }
  const parts: Part[] = []
  for (const name of names) parts.push(await measure(aside, name))
  return {
    orlaBackup: BACKUP_FORMAT,
    program: VERSION,
    dataVersion: SCHEMA_VERSION,
    kvVersion: KV_SCHEMA_VERSION,
    at: options.now(),
    position,
    withKeys: options.withKeys,
    parts,
  }
}

async function copyDatabase(folder: string, aside: string, name: string, options: BackupOptions) {
  const from = join(folder, name)
  let db: DatabaseSync | undefined
  try {
    db = new DatabaseSync(from, { readOnly: true, timeout: 5000 })
    // Held to the end: a copy of many steps would begin anew at each commit of another process.
    db.exec('BEGIN')
    db.prepare('SELECT count(*) FROM sqlite_schema').get()
    await backup(db, join(aside, name), {
      rate: PAGES,
      progress: ({ totalPages, remainingPages }) =>
        options.onProgress(name, totalPages - remainingPages, totalPages),
    })
  } catch (error) {
    throw storeError(from, error)
  } finally {
    db?.close()
  }
}

function keyFiles(folder: string): string[] {
  const files = KEY_FILES.filter((name) => existsSync(join(folder, name)))
  for (const below of KEY_FOLDERS.filter((name) => existsSync(join(folder, name)))) {
    for (const entry of readdirSync(join(folder, below), { recursive: true, withFileTypes: true })) {
      const name = join(entry.parentPath, entry.name).slice(join(folder, '/').length)
      if (!entry.isFile() || name.endsWith('.new')) continue
      if (!isPartName(name))
        throw new EdgeError('store-failed', `the name of ${name} is too long for a backup`)
      files.push(name)
    }
  }
  return files
}

async function measure(aside: string, name: string): Promise<Part> {
  const hash = createHash('sha256')
  let bytes = 0
  await using file = await open(join(aside, name))
  for await (const piece of pieces(file)) {
    hash.update(piece)
    bytes += piece.length
  }
  return { name, bytes, sha256: hash.digest('hex') }
}

async function writeTar(path: string, aside: string, manifest: Manifest): Promise<void> {
  await using to = await open(path, 'wx', 0o600)
  const text = Buffer.from(sealManifest(manifest))
  const entry = (name: string, bytes: number) => to.appendFile(encodeHeader({ name, bytes }, manifest.at))
  await entry(MANIFEST, text.length)
  await to.appendFile(Buffer.concat([text, Buffer.alloc(fillOf(text.length))]))
  for (const { name, bytes } of manifest.parts) {
    await entry(name, bytes)
    await using from = await open(join(aside, name))
    for await (const piece of pieces(from)) await to.appendFile(piece)
    await to.appendFile(Buffer.alloc(fillOf(bytes)))
  }
  await to.appendFile(Buffer.alloc(2 * BLOCK))
  await to.sync()
}

async function* pieces(file: FileHandle): AsyncGenerator<Buffer> {
  const buffer = Buffer.alloc(PIECE)
  for (let position = 0; ;) {
    const piece = await readFully(file, position, buffer)
    if (piece.length === 0) return
    yield piece
    position += piece.length
  }
}
