/** Reads the set of units and sites that the store says is live, and remembers where in the log each set was read. */
import type { Served, UnitSet } from '../../contract/messages.ts'
import type { SecretBox } from '../../contract/secrets.ts'
import type { Position, StoreView } from '../../contract/store.ts'
import { versionKey, type UnitVersion } from '../../contract/unit.ts'
import { readUnits, type VersionCache } from '../../unit/records.ts'
import type { CheckSignature } from '../../unit/signature.ts'
import type { Log } from '../log.ts'

export interface SetReaderParts {
  readonly view: StoreView
  /** Whether the log goes on from there. */
  readonly continues: (from: Position) => boolean
  readonly secrets: SecretBox
  readonly checkSignature: CheckSignature
  /** What is served where these units are live. */
  readonly served: (units: UnitSet) => Served
  readonly log: Log
  /** The epoch that is live; undefined before any is. */
  readonly liveEpoch: () => number | undefined
}

export class SetReader {
  readonly #parts: SetReaderParts
  readonly #cache: VersionCache = new Map()
  /** The history that was read, and what ran of the one before. */
  #position: Position | undefined
  /** Tells what is read of this history from what had the same name and version on another. */
  #edition = ''
  #before: VersionCache = new Map()
  readonly #positions = new WeakMap<UnitSet, Position>()
  /** Versions whose bar was told of. */
  readonly #barred = new Set<string>()

  constructor(parts: SetReaderParts) {
    this.#parts = parts
  }

  /** Throws where what the store has cannot be read. */
  read(): UnitSet {
    const { view, secrets, checkSignature, served } = this.#parts
    this.#turn(view.position())
    const units = readUnits(view, secrets, this.#cache, checkSignature, this.#identify)
    this.#tellBarred(units)
    const set = { ...units, epoch: this.#epochFor(units.epoch), served: served(units) }
    this.#positions.set(set, view.position())
    return set
  }

  /** Another history may have other versions under the same numbers: what was read of the one before does not count. */
  #turn(position: Position): void {
    const isSame = this.#position !== undefined && this.#parts.continues(this.#position)
    this.#position = position
    if (isSame) return
    this.#edition = position.hash.slice(0, 8)
    this.#before = new Map(this.#cache)
    this.#cache.clear()
  }

  readonly #identify = (unit: UnitVersion): UnitVersion => {
    const before = this.#before.get(versionKey(unit))
    if (before === undefined) return unit
    return contentOf(before) === contentOf(unit) ? before : { ...unit, edition: this.#edition }
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

const contentOf = ({ code, env, phases, manifest, barred }: UnitVersion): string =>
  JSON.stringify([code, env, phases, manifest, barred])
