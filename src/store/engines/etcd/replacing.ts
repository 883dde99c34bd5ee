/** A log becomes what a snapshot says: its state is written aside, as another generation, and the head names that from one moment on. */
import { EdgeError } from '../../../base/errors.ts'
import { samePosition, type Effect, type Position, type Snapshot } from '../../../contract/store.ts'
import { endOf, get, remove, transact, valueIs } from './kv.ts'
import { headIn, type LogPlace, lookAt, newName, startGeneration } from './place.ts'
import { generationKeys, type Head, headKey, headOf, headText } from './records.ts'
import { applyGroups, isOfParts, stateGroups } from './state.ts'

/** The head that it has from now on, or undefined where it ends elsewhere than `expected`. */
export async function replaceLog(
  place: LogPlace,
  expected: Position,
  snapshot: Snapshot,
): Promise<Head | undefined> {
  const { gateway } = place
  const look = await lookAt(place, undefined)
  if (look === undefined || !samePosition(look.head.position, expected)) return undefined
  const head = headOf(headText(snapshot.position, newName()))!
  const keys = generationKeys(place.prefix, place.name, head.generation)
  const effects = effectsOf(snapshot)
  const takeBack = () => transact(gateway, { success: [remove(keys.all, endOf(keys.all))] })

  try {
    // A try whose answer was lost may be done much later, by a member that stood still. Without the comparison it would then write over
    // values that are newer.
    const compare = [valueIs(headKey(place.prefix, place.name), look.head.text)]
    const isWritten = await applyGroups(
      stateGroups(keys, effects, false),
      async (success) => (await transact(gateway, { compare, success })).succeeded,
    )
    if (!isWritten) {
      await takeBack()
      return undefined
    }
  } catch (error) {
    // What stays where this fails, too, goes with the next replacement.
    await takeBack().catch(() => {})
    throw error
  }
  const now = await namedBy(place, look.head, head, effects.some(isOfParts))
  if (now?.generation === head.generation) return head
  await takeBack().catch(() => {})
  return undefined
}

/** The head of the log after a try to make it `to`. */
async function namedBy(place: LogPlace, from: Head, to: Head, hasParts: boolean): Promise<Head | undefined> {
  try {
    const { succeeded, ranges } = await transact(place.gateway, {
      compare: [valueIs(headKey(place.prefix, place.name), from.text)],
      success: startGeneration(place, to, hasParts),
      failure: [get(headKey(place.prefix, place.name))],
    })
    return succeeded ? to : headIn(place, ranges[0])
  } catch (error) {
    // What makes etcd's database full is refused, and done all the same.
    if (!(error instanceof EdgeError) || error.code !== 'store-refused') throw error
    const look = await lookAt(place, undefined)
    if (look?.head.generation !== to.generation) throw error
    return look.head
  }
}

const effectsOf = ({ entries }: Snapshot): readonly Effect[] =>
  [...entries].map(([key, value]) => ({ operation: 'SET', key, value }))
