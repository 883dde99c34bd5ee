/** How a change that cannot be live is taken back. */
import type { Effect, StoreView } from '../../contract/store.ts'
import type { Change } from '../../unit/changes.ts'
import { pointerKey, recordKey, type UnitPointer } from '../../unit/records.ts'

/** What is to be appended to take a change back, as the store stands when it is asked. */
export type Undo = () => readonly Effect[]

/**
 * Takes back what the plan set where it still stands, to how it is now; but a number that was given is not given again. Of a unit that was changed
 * since, only the version goes that the plan made: what else is said of it is somebody else's, who may take that back, too, before or after.
 */
export function inverse(store: StoreView, { name, effects }: Change): Undo {
  const before = new Map(effects.map(({ key }) => [key, store.get(key)]))
  const pointer = effects.find(({ key }) => key === pointerKey(name))
  const setPointer = pointer && valueOf(pointer)
  const pointerBefore = before.get(pointerKey(name))
  return () => {
    if (setPointer !== undefined && store.get(pointerKey(name)) !== setPointer)
      return withoutVersion(store, name, parsed(setPointer), pointerBefore)
    return effects
      .toReversed()
      .filter((effect) => store.get(effect.key) === valueOf(effect))
      .map((effect) => {
        const { key } = effect
        const set = valueOf(effect)
        // Also where a change is of many units.
        const isPointer = key.startsWith(UNITS) && set !== undefined
        return isPointer
          ? backTo(key.slice(UNITS.length), parsed(set), before.get(key))
          : undoing(key, before.get(key))
      })
  }
}

const UNITS = pointerKey('')

const valueOf = (effect: Effect): string | undefined =>
  effect.operation === 'SET' ? effect.value : undefined

const parsed = (text: string): UnitPointer => JSON.parse(text) as UnitPointer

function undoing(key: string, before: string | undefined): Effect {
  return before === undefined ? { operation: 'DELETE', key } : { operation: 'SET', key, value: before }
}

function backTo(name: string, { last }: UnitPointer, before: string | undefined): Effect {
  const gone: UnitPointer = { live: 0, history: [], kept: [], last, disabled: false, at: 0 }
  const pointer = before === undefined ? gone : { ...parsed(before), last }
  return { operation: 'SET', key: pointerKey(name), value: JSON.stringify(pointer) }
}

/** The unit as it is now, without the version that was set live then, if that was a new one. */
function withoutVersion(
  store: StoreView,
  name: string,
  { live: version, last }: UnitPointer,
  before: string | undefined,
): readonly Effect[] {
  const text = store.get(pointerKey(name))
  const pointerBefore = before === undefined ? undefined : parsed(before)
  const isNew = last > (pointerBefore?.last ?? 0)
  if (text === undefined || !isNew || !parsed(text).kept.includes(version)) return []
  const now = parsed(text)
  const kept = now.kept.filter((one) => one !== version)
  const history = now.history.filter((one) => one !== version)
  let { live } = now
  if (live === version) {
    // The one before may have been taken back meanwhile.
    const last = history.pop()
    live = pointerBefore && kept.includes(pointerBefore.live) ? pointerBefore.live : (last ?? 0)
  }
  const pointer: UnitPointer = { ...now, live, history, kept }
  return [
    { operation: 'SET', key: pointerKey(name), value: JSON.stringify(pointer) },
    { operation: 'DELETE', key: recordKey(name, version) },
  ]
}
