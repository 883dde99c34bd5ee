/** The edges that a control plane knows, on its disk: `edges.json` in the data directory. */
import { join } from 'node:path'
import * as v from 'valibot'
import { readWhole, writeWhole } from '../base/whole-file.ts'
import type { Timers } from '../base/timers.ts'
import type { EdgeRecord } from './edge-registry.ts'

const Position = v.object({ log: v.string(), id: v.number(), hash: v.string() })
const File = v.array(
  v.object({
    name: v.string(),
    instance: v.string(),
    groups: v.array(v.string()),
    addresses: v.array(v.string()),
    version: v.string(),
    token: v.string(),
    since: v.number(),
    lastSeen: v.number(),
    hasLeft: v.boolean(),
    stored: Position,
    live: Position,
  }),
)

/** Positions move with every publish: they are written a little later, all at once. */
const WRITE_AFTER_MS = 1000

export class EdgeFile {
  readonly #path: string
  readonly #warn: (line: string) => void
  readonly #timers: Timers
  #callOff: (() => void) | undefined

  constructor(directory: string, timers: Timers, warn: (line: string) => void) {
    this.#timers = timers
    this.#path = join(directory, 'edges.json')
    this.#warn = warn
  }

  read(): readonly EdgeRecord[] {
    const parse = (value: unknown) => v.parse(File, value)
    return (
      readWhole(this.#path, parse, (why) => this.#warn(`no edge is known before it connects: ${why}`)) ?? []
    )
  }

  /** What is lost with the process is a second of positions: edges say anew where they stand. */
  write(records: () => readonly EdgeRecord[]): void {
    this.#callOff ??= this.#timers.later(WRITE_AFTER_MS, () => {
      this.#callOff = undefined
      this.#writeNow(records())
    })
  }

  close(records: readonly EdgeRecord[]): void {
    if (this.#callOff === undefined) return
    this.#callOff()
    this.#callOff = undefined
    this.#writeNow(records)
  }

  #writeNow(records: readonly EdgeRecord[]): void {
    try {
      writeWhole(this.#path, JSON.stringify(records))
    } catch (error) {
      this.#warn(`${this.#path} cannot be written: ${(error as Error).message}`)
    }
  }
}
