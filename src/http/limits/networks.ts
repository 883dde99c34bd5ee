/**
 * The networks (autonomous systems) that addresses are in, of a table in MaxMind's format.
 *
 * Its makers give out a new one every few days, and who fetches it puts it in place of the one before: it is looked at now and then, and read
 * anew where it is another. One that cannot be read leaves the one before in its place.
 */
import { readFileSync, statSync } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { EdgeError } from '../../base/errors.ts'
import { Mmdb } from '../../wire/mmdb.ts'
import type { NetworkOf } from './limit-keys.ts'

const KEY = 'autonomous_system_number'

interface Table {
  mmdb: Mmdb
  /** What of the file says that it is the same. */
  mark: string
}

export class Networks {
  private readonly warn: (line: string) => void
  private readonly tables = new Map<string, Table>()
  private readonly broken = new WeakSet<Mmdb>()
  private isLooking = false

  constructor(warn: (line: string) => void) {
    this.warn = warn
  }

  /** Throws where the file cannot be read. */
  of(path: string | undefined): NetworkOf {
    if (path === undefined) return () => undefined
    let table = this.tables.get(path)
    if (table === undefined) {
      table = read(path)
      this.tables.set(path, table)
    }
    const { tables } = this
    return (ip) => {
      const { mmdb } = tables.get(path)!
      try {
        const found = mmdb.find(ip)
        const number = found instanceof Map ? found.get(KEY) : undefined
        return typeof number === 'number' ? number : undefined
      } catch (error) {
        // Told once: a request is not to fail of it.
        if (!this.broken.has(mmdb)) this.warn(`geo.asn: ${path} is damaged: ${(error as Error).message}`)
        this.broken.add(mmdb)
        return undefined
      }
    }
  }

  /** Looks whether a file is another one than before. */
  async refresh(): Promise<void> {
    if (this.isLooking) return
    this.isLooking = true
    for (const [path, table] of this.tables) {
      try {
        const mark = markOf(await stat(path))
        if (mark === table.mark) continue
        // What cannot be read is told once, and looked at again where it changes.
        table.mark = mark
        table.mmdb = new Mmdb(await readFile(path))
      } catch (error) {
        const message = `geo.asn: ${path} cannot be read: ${(error as Error).message}; the one before stays in use`
        if (table.mark !== '') this.warn(message)
        table.mark = (error as NodeJS.ErrnoException).code === undefined ? table.mark : ''
      }
    }
    this.isLooking = false
  }
}

function read(path: string): Table {
  try {
    const mark = markOf(statSync(path))
    return { mark, mmdb: new Mmdb(readFileSync(path)) }
  } catch (error) {
    throw new EdgeError('config-invalid', `geo.asn: ${path} cannot be read: ${(error as Error).message}`, {
      hint: 'expected a table of autonomous systems in the format of MaxMind, such as GeoLite2-ASN.mmdb',
      cause: error,
    })
  }
}

const markOf = ({ ino, size, mtimeMs }: { ino: number; size: number; mtimeMs: number }): string =>
  `${ino} ${size} ${mtimeMs}`
