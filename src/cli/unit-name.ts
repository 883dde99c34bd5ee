/** The name of a unit that was given none: its file's, or its folder's for `index.ts`. */
import { basename, dirname, extname } from 'node:path'
import { UsageError } from './arguments.ts'

/** A unit's name is a label of a DNS name: lower-case letters, digits and hyphens, 63 at most. */
export function unitNameOf(file: string): string {
  const stem = basename(file, extname(file))
  const own = stem === 'index' ? basename(dirname(file)) : stem
  const name = own
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, 63)
    .replaceAll(/^-+|-+$/g, '')
  if (name === '') throw new UsageError(`no name can be made from ${file}; give one with --name`)
  return name
}
