/** A log becomes what a snapshot says: its state is written aside, as another generation, and the head names that from one moment on. */
import type { Effect, Position, Snapshot } from '../../../contract/store.ts'
import { endOf, get, remove, transact, valueIs } from './kv.ts'
import { headIn, isSame, type LogPlace, lookAt, newName, startGeneration } from './place.ts'
import { generationKeys, type Head, headKey, headOf, headText } from './records.ts'
import { stateGroups } from './state.ts'

/** The head that it has from now on, or undefined where it ends elsewhere than `expected`. */
export async function replaceLog(
  place: LogPlace,
  expected: Position,
  snapshot: Snapshot,
): Promise<Head | undefined> {
  const { gateway } = place
  const look = await lookAt(place, undefined)
  if (look === undefined || !isSame(look.head.position, expected)) return undefined
  const head = headOf(headText(snapshot.position, newName()))!
  const keys = generationKeys(place.prefix, place.name, head.generation)
  const takeBack = () => transact(gateway, { success: [remove(keys.all, endOf(keys.all))] })

  try {
    for (const group of stateGroups(keys, effectsOf(snapshot))) await transact(gateway, { success: group })
  } catch (error) {
    // What stays where this fails, too, goes with the next replacement.
    await takeBack().catch(() => {})
    throw error
  }
  const { succeeded, ranges } = await transact(gateway, {
    compare: [valueIs(headKey(place.prefix, place.name), look.head.text)],
    success: startGeneration(place, head),
    failure: [get(headKey(place.prefix, place.name))],
  })
  if (succeeded) return head
  // Asked twice, where the first answer was lost; or others have written since.
  const now = headIn(place, ranges[0])
  if (now?.generation === head.generation) return head
  await takeBack().catch(() => {})
  return undefined
}

function* effectsOf({ entries }: Snapshot): Generator<Effect> {
  for (const [key, value] of entries) yield { operation: 'SET', key, value }
}
