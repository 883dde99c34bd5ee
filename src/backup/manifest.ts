/** The first entry of a backup: what it holds, where it was taken, and the hash of each part. */
import { createHash } from 'node:crypto'
import { EdgeError } from '../base/errors.ts'
import type { Position } from '../contract/store.ts'

export const MANIFEST = 'manifest.json'
/** Grows when an older program could no longer read a backup. */
export const BACKUP_FORMAT = 1

export interface Part {
  readonly name: string
  readonly bytes: number
  readonly sha256: string
}

export interface Manifest {
  readonly orlaBackup: number
  /** Version of the program that took it. */
  readonly program: string
  /** Of the store's file and of the key/value data. */
  readonly dataVersion: number
  readonly kvVersion: number
  /** Milliseconds since 1970. */
  readonly at: number
  /** Where the log stood. */
  readonly position: Position
  readonly withKeys: boolean
  readonly parts: readonly Part[]
}

export interface SealedManifest extends Manifest {
  /** SHA-256 of the manifest without this field. */
  readonly sha256: string
}

const hashOf = (manifest: Manifest): string =>
  createHash('sha256').update(JSON.stringify(manifest)).digest('hex')

export const sealManifest = (manifest: Manifest): string =>
  `${JSON.stringify({ ...manifest, sha256: hashOf(manifest) } satisfies SealedManifest)}\n`

/** Throws `backup-damaged`, or `store-newer` where a newer program wrote it. */
export function parseManifest(text: string, path: string): Manifest {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new EdgeError('backup-damaged', `${path}: its manifest is no JSON`, { cause: error })
  }
  const { sha256, ...manifest } = (value ?? {}) as SealedManifest
  const format: unknown = manifest.orlaBackup
  if (typeof format !== 'number') throw new EdgeError('backup-damaged', `${path} is no backup of orla`)
  if (format > BACKUP_FORMAT) {
    throw new EdgeError(
      'store-newer',
      `${path} is a backup of format ${format}; this program knows up to ${BACKUP_FORMAT}`,
    )
  }
  if (hashOf(manifest) !== sha256) {
    throw new EdgeError('backup-damaged', `${path}: its manifest does not have the hash of its content`)
  }
  const strange = manifest.parts.find(({ name }) => !isPartName(name))
  if (strange) throw new EdgeError('backup-damaged', `${path}: "${strange.name}" is no name of a part`)
  return manifest
}

/** Below the folder, whatever a hand wrote into the manifest. */
export const isPartName = (name: string): boolean =>
  Buffer.byteLength(name) <= 100 && /^(?!.*(?:^|\/)\.\.?(?:\/|$))[^\0/\\]+(?:\/[^\0/\\]+)*$/.test(name)
