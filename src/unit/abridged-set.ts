/**
 * A set of units for somebody who holds most of it: versions that are there already go by name alone.
 *
 * A version never changes, so its name says it all; and with hundreds of units a deploy of one would otherwise send the code
 * of all of them to every worker.
 */
import type { AbridgedSet, HeldVersion, UnitSet } from '../contract/messages.ts'
import { versionKey, type UnitVersion } from '../contract/unit.ts'

const mapUnits = <From, To>(
  { units, lastGood }: { readonly units: readonly From[]; readonly lastGood: Readonly<Record<string, From>> },
  to: (unit: From) => To,
) => ({
  units: units.map(to),
  lastGood: Object.fromEntries(Object.entries(lastGood).map(([name, unit]) => [name, to(unit)])),
})

/** `held` is a set that the receiver has. */
export function abridge(set: UnitSet, held: UnitSet): AbridgedSet {
  const keys = new Set([...held.units, ...Object.values(held.lastGood)].map(versionKey))
  const short = (unit: UnitVersion): UnitVersion | HeldVersion =>
    keys.has(versionKey(unit)) ? { name: unit.name, version: unit.version } : unit
  // The same object while nothing in it changed.
  const { served, ...rest } = set
  const isNew = served !== undefined && served !== held.served
  return { ...rest, ...mapUnits(set, short), ...(isNew && { served }) }
}

/** The whole set. `known` gives what the receiver holds, and is asked for each version with its text, where that came along. */
export function restore(
  set: AbridgedSet,
  known: (key: string, sent: UnitVersion | undefined) => UnitVersion,
): UnitSet {
  const whole = (unit: UnitVersion | HeldVersion): UnitVersion =>
    known(versionKey(unit), 'code' in unit ? unit : undefined)
  return { ...set, ...mapUnits(set, whole) }
}
