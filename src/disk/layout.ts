/**
 * How a tier lies in its folder.
 *
 *     tier.lock            held by the keeper that writes here
 *     in-order             absent: what the index says may be out of date, and is thrown away
 *     index.db (-wal, -shm)
 *     bodies/3f/3f00c2…    one file a body, in 256 folders
 *
 * A file's name is a random number of 53 bits, whose first eight are its folder: so the files of one folder are one stretch of the index.
 */
import { join } from 'node:path'

/** What one checksum is over. */
export const BLOCK_BYTES = 256 * 1024
/** A body up to this size stands in the index itself. */
export const INLINE_BYTES_MAX = 16 * 1024
/** What the file system gives out at a time, on those that are common. */
const PAGE_BYTES = 4096
/** A name in a folder, and its inode's share of it. */
const NAME_BYTES = 64

export const FOLDERS = 256
const IDS_A_FOLDER = 2 ** 45

export const indexPath = (folder: string): string => join(folder, 'index.db')
export const lockPath = (folder: string): string => join(folder, 'tier.lock')
export const orderPath = (folder: string): string => join(folder, 'in-order')
export const bodiesPath = (folder: string): string => join(folder, 'bodies')

/** What belongs to a tier in its folder. */
export const OWN_NAMES: readonly string[] = [
  'index.db',
  'index.db-wal',
  'index.db-shm',
  'in-order',
  'probe',
  'bodies',
  'tier.lock',
  'tier.lock-journal',
]

export function randomId(): number {
  return (
    Math.floor(Math.random() * FOLDERS) * IDS_A_FOLDER + Math.floor(Math.random() * (IDS_A_FOLDER - 1)) + 1
  )
}

export const folderName = (index: number): string => index.toString(16).padStart(2, '0')
/** The ids of a folder: from the first to before the second. */
export const idsOf = (index: number): readonly [number, number] => [
  index * IDS_A_FOLDER,
  (index + 1) * IDS_A_FOLDER,
]

/** Which of the folders a file is in. */
export const folderIndexOf = (id: number): number => Math.floor(id / IDS_A_FOLDER)
export const folderOf = (folder: string, id: number): string =>
  join(bodiesPath(folder), folderName(folderIndexOf(id)))
export const bodyPath = (folder: string, id: number): string =>
  join(folderOf(folder, id), id.toString(16).padStart(14, '0'))

/** The id of a file by its name; undefined: it is none of ours. */
export function idOf(name: string): number | undefined {
  return /^[0-9a-f]{14}$/.test(name) ? Number.parseInt(name, 16) : undefined
}

/** What a body of so many bytes takes on the disk. */
export const diskBytes = (bytes: number): number => Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES + NAME_BYTES
export const FOLDER_BYTES = PAGE_BYTES
