/** Looks at a hosts file from time to time, and reads it where its time or size is another one. */
import { readFile, stat } from 'node:fs/promises'
import { every, type Timers } from '../../../base/timers.ts'
import { HostsTable, type HostsTableOptions } from './hosts-table.ts'

export interface HostsFileOptions {
  readonly path: string
  /** Zero: it is read once. */
  readonly everyMs: number
  readonly timers: Timers
  readonly table: HostsTableOptions
  onRead(table: HostsTable): void
  /** It was there and is not any more, or cannot be read. */
  onTrouble(reason: string): void
}

export class HostsFile {
  readonly #options: HostsFileOptions
  #seen = ''
  #trouble = ''
  #isReading = false
  #isStopped = false
  #callOff: () => void = () => {}

  constructor(options: HostsFileOptions) {
    this.#options = options
  }

  async start(): Promise<void> {
    const { everyMs, timers } = this.#options
    await this.look()
    if (everyMs > 0 && !this.#isStopped) this.#callOff = every(timers, everyMs, () => void this.look())
  }

  stop(): void {
    this.#isStopped = true
    this.#callOff()
  }

  async look(): Promise<void> {
    if (this.#isReading) return
    this.#isReading = true
    const { path, table, onRead, onTrouble } = this.#options
    try {
      const { mtimeMs, size, ino } = await stat(path)
      const seen = `${mtimeMs} ${size} ${ino}`
      if (seen === this.#seen) return
      const read = new HostsTable(table).read(await readFile(path, 'utf8'))
      if (this.#isStopped) return
      this.#seen = seen
      this.#trouble = ''
      onRead(read)
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      // Each trouble is told of once, not each time that it is met.
      if (reason !== this.#trouble && !this.#isStopped) onTrouble(reason)
      this.#trouble = reason
    } finally {
      this.#isReading = false
    }
  }
}
