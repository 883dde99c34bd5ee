/** How a change that cannot be live is taken back. */
import type { Effect, StoreView } from '../contract/store.ts'
import type { Change } from '../unit/changes.ts'
import { pointerKey, type UnitPointer } from '../unit/records.ts'

/** What is to be appended to take a change back, as the store stands when it is asked. */
export type Undo = () => readonly Effect[]

/** Takes back what the plan set where it still stands, to how it is now; but a number that was given is not given again. */
export function inverse(store: StoreView, { name, effects }: Change): Undo {
  const undone = effects.toReversed().map(({ operation, key, ...rest }) => {
    const before = store.get(key)
    const set = 'value' in rest ? rest.value : undefined
    return { key, set, effect: undoing(key, before, operation, set, name) }
  })
  return () => undone.filter(({ key, set }) => store.get(key) === set).map(({ effect }) => effect)
}

function undoing(
  key: string,
  before: string | undefined,
  operation: Effect['operation'],
  set: string | undefined,
  name: string,
): Effect {
  if (key === pointerKey(name) && operation === 'SET' && set !== undefined) {
    const { last } = JSON.parse(set) as UnitPointer
    const gone: UnitPointer = { live: 0, history: [], kept: [], last, disabled: false, at: 0 }
    const pointer = before === undefined ? gone : { ...(JSON.parse(before) as UnitPointer), last }
    return { operation: 'SET', key, value: JSON.stringify(pointer) }
  }
  return before === undefined ? { operation: 'DELETE', key } : { operation: 'SET', key, value: before }
}
