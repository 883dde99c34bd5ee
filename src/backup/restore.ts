/**
 * Makes a data directory of a backup: everything is read, checked and put on the disk aside, and only then takes its place.
 * What is damaged leaves nothing behind.
 */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { EdgeError } from '../base/errors.ts'
import { storeError } from '../base/sqlite-failure.ts'
import { KV_SCHEMA_VERSION } from '../kv/file.ts'
import { inspectStore } from '../store/inspect.ts'
import { lockDirectory } from '../store/lock.ts'
import { SCHEMA_VERSION, syncDirectory } from '../store/schema.ts'
import { type Manifest, MANIFEST, parseManifest, type Part } from './manifest.ts'
import { BLOCK, decodeHeader, fillOf, readFully } from './tar.ts'

const MANIFEST_BYTES_MAX = 16 << 20
const PIECE = 1 << 20

export type OnProgress = (part: string, done: number, total: number) => void

/** Throws `EdgeError`; the folder is then as it was. */
export async function restoreBackup(path: string, folder: string, onProgress: OnProgress): Promise<Manifest> {
  let file: FileHandle
  try {
    file = await open(path)
    if (!(await file.stat()).isFile()) throw new Error('it is no file')
  } catch (error) {
    throw new EdgeError('file-unreadable', `${path}: ${(error as Error).message}`, { cause: error })
  }
  await using _ = file
  const { manifest, position } = await readManifest(file, path)
  assertKnown(manifest, path)
  const isThere = assertEmpty(folder)
  // Inside a folder that is there, for it may be a disk of its own, and its owner and mode are to stay.
  const aside = isThere ? join(folder, `.restore.${process.pid}`) : `${folder}.restore.${process.pid}`
  try {
    mkdirSync(aside, { recursive: true, mode: 0o700 })
    await extract(file, path, { manifest, position, aside, onProgress })
    const found = inspectStore(join(aside, 'orla.db')).position
    if (found.hash !== manifest.position.hash || found.log !== manifest.position.log) {
      throw new EdgeError(
        'backup-damaged',
        `${path}: the log ends at ${found.id}, not where the manifest says`,
      )
    }
    if (isThere) moveIn(aside, folder)
    else renameSync(aside, folder)
    syncDirectory(isThere ? folder : dirname(folder))
    return manifest
  } catch (error) {
    throw storeError(folder, error)
  } finally {
    rmSync(aside, { recursive: true, force: true })
  }
}

async function readManifest(file: FileHandle, path: string) {
  const head = decodeHeader(await readFully(file, 0, Buffer.alloc(BLOCK)))
  if (typeof head !== 'object' || head.name !== MANIFEST || head.bytes > MANIFEST_BYTES_MAX) {
    throw new EdgeError('backup-damaged', `${path} is no backup of orla`)
  }
  const text = await readFully(file, BLOCK, Buffer.alloc(head.bytes))
  if (text.length < head.bytes) throw truncated(path)
  const manifest = parseManifest(text.toString(), path)
  return { manifest, position: BLOCK + head.bytes + fillOf(head.bytes) }
}

function assertKnown({ dataVersion, kvVersion, program }: Manifest, path: string): void {
  if (dataVersion <= SCHEMA_VERSION && kvVersion <= KV_SCHEMA_VERSION) return
  const known = `this program knows up to ${SCHEMA_VERSION} and ${KV_SCHEMA_VERSION}`
  throw new EdgeError(
    'store-newer',
    `${path} holds data of format ${dataVersion} (key/value data: ${kvVersion}), written by orla ${program}; ${known}`,
  )
}

/** Whether the folder is there. Throws where something is in it. */
function assertEmpty(folder: string): boolean {
  const there = statSync(folder, { throwIfNoEntry: false })
  if (!there) return false
  if (!there.isDirectory()) throw new EdgeError('folder-not-empty', `${folder} is no folder`)
  const entries = readdirSync(folder).filter((name) => name !== 'lost+found')
  if (entries.length === 0) return true
  // A node that runs is the better answer.
  if (existsSync(join(folder, 'orla.lock'))) lockDirectory(folder).release()
  throw new EdgeError('folder-not-empty', `${folder} holds ${entries.toSorted().slice(0, 3).join(', ')}`)
}

interface Extraction {
  readonly manifest: Manifest
  /** Of the header of the first part. */
  readonly position: number
  readonly aside: string
  readonly onProgress: OnProgress
}

async function extract(file: FileHandle, path: string, extraction: Extraction): Promise<void> {
  const { manifest, aside, onProgress } = extraction
  let { position } = extraction
  const block = Buffer.alloc(BLOCK)
  for (const part of manifest.parts) {
    const raw = await readFully(file, position, block)
    if (raw.length < BLOCK) throw truncated(path)
    const head = decodeHeader(raw)
    if (typeof head !== 'object' || head.name !== part.name || head.bytes !== part.bytes) {
      throw new EdgeError('backup-damaged', `${path}: ${part.name} is not where the manifest says`)
    }
    await extractPart(file, path, { part, position: position + BLOCK, aside, onProgress })
    position += BLOCK + part.bytes + fillOf(part.bytes)
  }
  const end = await readFully(file, position, Buffer.alloc(2 * BLOCK))
  if (end.length < 2 * BLOCK) throw truncated(path)
  if (end.some((byte) => byte !== 0)) {
    throw new EdgeError('backup-damaged', `${path} goes on after its last part`)
  }
}

async function extractPart(
  file: FileHandle,
  path: string,
  at: {
    readonly part: Part
    readonly position: number
    readonly aside: string
    readonly onProgress: OnProgress
  },
): Promise<void> {
  const { part, position, aside, onProgress } = at
  const target = join(aside, part.name)
  mkdirSync(dirname(target), { recursive: true, mode: 0o700 })
  await using to = await open(target, 'wx', 0o600)
  const hash = createHash('sha256')
  const buffer = Buffer.alloc(PIECE)
  for (let done = 0; done < part.bytes;) {
    const wanted = buffer.subarray(0, Math.min(PIECE, part.bytes - done))
    const piece = await readFully(file, position + done, wanted)
    if (piece.length < wanted.length) throw truncated(path)
    hash.update(piece)
    await to.appendFile(piece)
    done += piece.length
    onProgress(part.name, done, part.bytes)
  }
  if (hash.digest('hex') !== part.sha256) {
    throw new EdgeError(
      'backup-damaged',
      `${path}: ${part.name} does not have the hash that the manifest says`,
    )
  }
  await to.sync()
}

/** The store last: until it is there, no node takes the folder for one with data. */
function moveIn(aside: string, folder: string): void {
  const lock = lockDirectory(folder)
  try {
    if (existsSync(join(folder, 'orla.db'))) {
      throw new EdgeError('folder-not-empty', `${folder} was taken by a node in the meantime`)
    }
    const names = readdirSync(aside).toSorted((a, b) => Number(a === 'orla.db') - Number(b === 'orla.db'))
    for (const name of names) renameSync(join(aside, name), join(folder, name))
  } finally {
    lock.release()
  }
}

const truncated = (path: string) => new EdgeError('backup-damaged', `${path} was cut: its end is missing`)
