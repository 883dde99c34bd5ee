/**
 * Opens files below a folder, and nothing else.
 *
 * Where a file really lies is asked of the kernel after it was opened (`/proc/self/fd`), not worked out before: between a
 * look at the links of a path and its opening they may change. A link that leads outside is refused, one within is
 * followed. The root itself may be a link that is switched to another folder while it is served.
 */
import { closeSync, constants, fstatSync, openSync, readlinkSync, realpathSync, type Stats } from 'node:fs'
import { EdgeError } from '../../base/errors.ts'

export interface OpenFile {
  readonly kind: 'file'
  /** To be closed by who asked. */
  readonly descriptor: number
  readonly stats: Stats
}

export type Opened =
  | OpenFile
  | { readonly kind: 'folder' }
  | { readonly kind: 'refused'; readonly status: 403 | 404 | 500 | 503; readonly reason: string }

/** A pipe that nobody writes to must not hold us up, and a terminal must not become ours. */
const FLAGS = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY

const NOT_THERE = { kind: 'refused', status: 404, reason: 'there is no such file' } as const

export class RootFolder {
  private readonly root: string
  private realRoot: string

  /** @param root an absolute path. */
  constructor(root: string) {
    this.root = root.replace(/\/+$/, '')
    this.realRoot = this.resolve()
    const opened = this.open('/')
    if (opened.kind === 'file') closeSync(opened.descriptor)
    if (opened.kind !== 'folder')
      throw new EdgeError('config-invalid', `static.root: ${root} is not a folder that can be read`)
  }

  private resolve(): string {
    try {
      return realpathSync.native(this.root === '' ? '/' : this.root, 'latin1')
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      const reason = code === 'ENOENT' ? 'there is no such folder' : message
      throw new EdgeError('config-invalid', `static.root: ${this.root} cannot be read: ${reason}`, {
        cause: error,
      })
    }
  }

  /** `path` is Latin-1 and begins with `/`. */
  open(path: string): Opened {
    let descriptor: number
    try {
      descriptor = openSync(this.systemPath(path), FLAGS)
    } catch (error) {
      return refusal(error as NodeJS.ErrnoException)
    }
    try {
      const stats = fstatSync(descriptor)
      if (!this.isInside(descriptor)) {
        closeSync(descriptor)
        return { kind: 'refused', status: 403, reason: 'it leads outside of the site' }
      }
      if (stats.isFile()) return { kind: 'file', descriptor, stats }
      closeSync(descriptor)
      return stats.isDirectory() ? { kind: 'folder' } : NOT_THERE
    } catch (error) {
      closeSync(descriptor)
      return refusal(error as NodeJS.ErrnoException)
    }
  }

  private systemPath(path: string): string | Buffer {
    // oxlint-disable-next-line no-control-regex -- names of other bytes go to the system as those bytes
    if (/^[\x00-\x7f]*$/.test(path)) return this.root + path
    return Buffer.concat([Buffer.from(this.root), Buffer.from(path, 'latin1')])
  }

  private isInside(descriptor: number): boolean {
    const place = readlinkSync(`/proc/self/fd/${descriptor}`, 'latin1')
    if (isBelow(place, this.realRoot)) return true
    this.realRoot = this.resolve()
    return isBelow(place, this.realRoot)
  }
}

const isBelow = (place: string, root: string): boolean =>
  place === root || place.startsWith(root === '/' ? root : `${root}/`)

function refusal({ code = '' }: NodeJS.ErrnoException): Extract<Opened, { kind: 'refused' }> {
  if (code === 'EACCES' || code === 'EPERM')
    return { kind: 'refused', status: 403, reason: 'the file may not be read' }
  if (code === 'EMFILE' || code === 'ENFILE' || code === 'ENOMEM')
    return { kind: 'refused', status: 503, reason: 'too many files are open' }
  const isMissing = ['ENOENT', 'ENOTDIR', 'ENAMETOOLONG', 'ELOOP', 'ENXIO', 'EINVAL'].includes(code)
  return isMissing ? NOT_THERE : { kind: 'refused', status: 500, reason: `the file cannot be read (${code})` }
}
