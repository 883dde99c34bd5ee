/**
 * A set of units for somebody who holds most of it: versions that are there already go by name alone.
 *
 * A version never changes, so its name says it all; and with hundreds of units a deploy of one would otherwise send the code
 * of all of them to every worker.
 */
import type { AbridgedSet, HeldVersion, UnitSet } from '../contract/messages.ts'
import type { LiveRollout } from '../contract/rollout.ts'
import { runKey, type UnitVersion } from '../contract/unit.ts'

interface Units<Unit> {
  readonly units: readonly Unit[]
  readonly lastGood: Readonly<Record<string, Unit>>
  readonly rollouts?: Readonly<Record<string, LiveRollout<Unit>>>
}

const mapRecord = <From, To>(record: Readonly<Record<string, From>>, to: (value: From) => To) =>
  Object.fromEntries(Object.entries(record).map(([name, value]) => [name, to(value)]))

const mapUnits = <From, To>(
  { units, lastGood, rollouts }: Units<From>,
  to: (unit: From) => To,
): Units<To> => ({
  units: units.map(to),
  lastGood: mapRecord(lastGood, to),
  ...(rollouts && {
    rollouts: mapRecord(rollouts, (rollout): LiveRollout<To> => ({ ...rollout, unit: to(rollout.unit) })),
  }),
})

/** The versions that requests meet first: those that only take over where one fails are left out. */
export const liveIn = ({ units, rollouts = {} }: UnitSet): readonly UnitVersion[] => [
  ...units,
  ...Object.values(rollouts).map(({ unit }) => unit),
]

/** All versions that requests may meet. */
export const versionsIn = (set: UnitSet): readonly UnitVersion[] => [
  ...liveIn(set),
  ...Object.values(set.lastGood),
]

/** `held` is a set that the receiver has. */
export function abridge(set: UnitSet, held: UnitSet): AbridgedSet {
  const keys = new Set(versionsIn(held).map(runKey))
  const short = (unit: UnitVersion): UnitVersion | HeldVersion => {
    const { name, version, edition, shadow } = unit
    const isHeld = keys.has(runKey(unit))
    return isHeld ? { name, version, ...(edition && { edition }), ...(shadow && { shadow }) } : unit
  }
  // The same object while nothing in it changed.
  const { served, rollouts: _whole, ...rest } = set
  const isNew = served !== undefined && served !== held.served
  return { ...rest, ...mapUnits(set, short), ...(isNew && { served }) }
}

/** The whole set. `known` gives what the receiver holds, and is asked for each version with its text, where that came along. */
export function restore(
  set: AbridgedSet,
  known: (key: string, sent: UnitVersion | undefined) => UnitVersion,
): UnitSet {
  const whole = (unit: UnitVersion | HeldVersion): UnitVersion =>
    known(runKey(unit), 'code' in unit ? unit : undefined)
  const { rollouts: _abridged, ...rest } = set
  return { ...rest, ...mapUnits(set, whole) }
}
