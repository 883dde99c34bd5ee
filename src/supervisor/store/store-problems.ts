/**
 * What keeps the store from being written, without writing: asked at each `/readyz` and each scrape, which must cost a disk nothing.
 *
 * A file that is gone, rights, and a file system that was mounted anew without writing (which errors of a disk lead to) are told by
 * access(2); a full disk by its free blocks.
 */
import { accessSync, constants, statfsSync } from 'node:fs'
import { dirname } from 'node:path'

/** An entry and its journal take a few pages of 4 KiB; a unit of the usual size as many again. */
const FREE_BYTES_MIN = 256 * 1024

export function storeProblems(path: string): string[] {
  try {
    accessSync(path, constants.W_OK)
    accessSync(dirname(path), constants.W_OK)
    const { bavail, bsize } = statfsSync(path)
    if (bavail * bsize >= FREE_BYTES_MIN) return []
    return [`the store cannot be written: ${bavail * bsize} bytes are free on the disk of ${path}`]
  } catch (error) {
    return [`the store cannot be written: ${(error as Error).message}`]
  }
}
