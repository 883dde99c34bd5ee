/** Reads the set of units and sites that the store says is live, and remembers where in the log each set was read. */
import type { Served, UnitSet } from '../contract/messages.ts'
import type { Position, StoreView } from '../contract/store.ts'
import { versionKey } from '../contract/unit.ts'
import { readUnits, type SecretBox, type VersionCache } from '../unit/records.ts'
import type { CheckSignature } from '../unit/signature.ts'
import type { Log } from './log.ts'

export interface SetReaderParts {
  readonly view: StoreView
  readonly secrets: SecretBox
  readonly checkSignature: CheckSignature
  readonly served: () => Served
  readonly log: Log
  /** The epoch that is live; undefined before any is. */
  readonly liveEpoch: () => number | undefined
}

export class SetReader {
  readonly #parts: SetReaderParts
  readonly #cache: VersionCache = new Map()
  readonly #positions = new WeakMap<UnitSet, Position>()
  /** Versions whose bar was told of. */
  readonly #barred = new Set<string>()

  constructor(parts: SetReaderParts) {
    this.#parts = parts
  }

  /** Throws where what the store has cannot be read. */
  read(): UnitSet {
    const { view, secrets, checkSignature, served } = this.#parts
    const units = readUnits(view, secrets, this.#cache, checkSignature)
    this.#tellBarred(units)
    const set = { ...units, epoch: this.#epochFor(units.epoch), served: served() }
    this.#positions.set(set, view.position())
    return set
  }

  positionOf(set: UnitSet): Position {
    return this.#positions.get(set)!
  }

  /** Another one than before, also where the log did not move, or went back to smaller ids. */
  #epochFor(id: number): number {
    const before = this.#parts.liveEpoch() ?? -1
    return id > before ? id : before + 1
  }

  /** Once a version. */
  #tellBarred({ units }: UnitSet): void {
    for (const unit of units) {
      const key = versionKey(unit)
      if (unit.barred === undefined || this.#barred.has(key)) continue
      this.#barred.add(key)
      this.#parts.log.warn(`${key} is not run: ${unit.barred}`)
    }
  }
}
