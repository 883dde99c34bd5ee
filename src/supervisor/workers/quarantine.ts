/**
 * Which versions are not run, because they took their sandbox down; on disk, so that a restart does not try them again.
 *
 * Local to the node: another edge may have different processors, neighbours or luck, and finds out by itself. Versions
 * are named, not units: a new version is free, the quarantined one stays so while it can still be reached as the
 * `lastGood` of the next.
 */
import * as v from 'valibot'
import { readWhole, writeWhole } from '../../base/whole-file.ts'
import type { Quarantine, UnitSet } from '../../contract/messages.ts'
import { versionKey } from '../../contract/unit.ts'
import { versionsIn } from '../../unit/abridged-set.ts'
import type { Log } from '../log.ts'

const File = v.array(
  v.object({
    name: v.string(),
    version: v.number(),
    reason: v.picklist(['cpu', 'wall', 'memory', 'crash', 'throw', 'syntax']),
    at: v.number(),
  }),
)

export class Quarantines {
  readonly #path: string
  readonly #log: Log
  readonly #byVersion: Map<string, Quarantine>
  #isSuspended = false

  constructor(path: string, log: Log) {
    this.#path = path
    this.#log = log
    this.#byVersion = new Map(this.#read().map((quarantine) => [versionKey(quarantine), quarantine]))
  }

  all(): readonly Quarantine[] {
    return [...this.#byVersion.values()]
  }

  of(unit: { readonly name: string; readonly version: number }): Quarantine | undefined {
    return this.#byVersion.get(versionKey(unit))
  }

  /** True where it was not known yet. */
  add(quarantine: Quarantine): boolean {
    if (this.#byVersion.has(versionKey(quarantine))) return false
    this.#byVersion.set(versionKey(quarantine), quarantine)
    this.#write()
    return true
  }

  /** Frees a version that an operator asks for by its number. True where it was in quarantine. */
  release(unit: { readonly name: string; readonly version: number }): boolean {
    if (!this.#byVersion.delete(versionKey(unit))) return false
    this.#write()
    return true
  }

  /** Forgets versions that no request can reach any more. True where there was one. */
  keepOnly(set: UnitSet): boolean {
    const reachable = new Set(versionsIn(set).map(versionKey))
    const gone = [...this.#byVersion.keys()].filter((key) => !reachable.has(key))
    for (const key of gone) this.#byVersion.delete(key)
    if (gone.length > 0) this.#write()
    return gone.length > 0
  }

  /** Leaves the file to the program that takes over. What comes from here on holds for this process. */
  suspend(): void {
    this.#isSuspended = true
  }

  /** The file is ours again, and is told what came meanwhile. */
  resume(): void {
    this.#isSuspended = false
    this.#write()
  }

  #read(): Quarantine[] {
    const parse = (value: unknown) => v.parse(File, value)
    return readWhole(this.#path, parse, (why) => this.#log.warn(`no unit is in quarantine: ${why}`)) ?? []
  }

  #write(): void {
    if (this.#isSuspended) return
    try {
      writeWhole(this.#path, JSON.stringify(this.all()))
    } catch (error) {
      // It holds for as long as this process lives; a full disk must not stop a bad unit from being kept out.
      this.#log.warn(`the quarantine cannot be written to ${this.#path}: ${(error as Error).message}`)
    }
  }
}
