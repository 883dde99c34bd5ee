/** The state of units, as lists and metrics tell it. */
import type { UnitSet } from '../../contract/messages.ts'
import type { Rollout } from '../../contract/rollout.ts'
import type { StoreView } from '../../contract/store.ts'
import type { UnitState, UnitSummary } from '../../control/shapes.ts'
import { listPointers, unitsEnabled, type UnitPointer } from '../../unit/records.ts'
import { shareText, stageText } from '../../unit/rollout/stages.ts'
import type { Quarantines } from '../workers/quarantine.ts'

/** In a few words. */
export const rolloutOf = (rollout: Rollout): NonNullable<UnitSummary['rollout']> => ({
  version: rollout.version,
  kind: rollout.kind,
  state: rollout.state === 'paused' ? 'paused' : 'running',
  reach:
    rollout.kind === 'staged'
      ? stageText(rollout.stages[rollout.step]!)
      : `${shareText(rollout.share)} of all edges`,
})

/** The state of every unit, from the small pointers alone: metrics are asked for often. */
export function unitStates(store: StoreView, quarantines: Quarantines, live: UnitSet): UnitState[] {
  const isOn = unitsEnabled(store)
  const barred = barredIn(live)
  return listPointers(store).map(([name, pointer]) =>
    unitState(name, pointer, isOn, quarantines, barred.has(name)),
  )
}

/** Names of the units that are live and not run, with the reason. */
export const barredIn = ({ units }: UnitSet): ReadonlyMap<string, string> =>
  new Map(units.flatMap(({ name, barred }) => (barred === undefined ? [] : [[name, barred] as const])))

export function unitState(
  name: string,
  pointer: UnitPointer,
  isOn: boolean,
  quarantines: Quarantines,
  isBarred: boolean,
): UnitState {
  if (pointer.disabled || !isOn) return 'disabled'
  if (isBarred) return 'unsigned'
  return quarantines.of({ name, version: pointer.live }) ? 'quarantined' : 'live'
}
