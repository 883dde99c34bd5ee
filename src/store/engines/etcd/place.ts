/** Where one log lies: what is looked at there is looked at in one transaction, so it is of one moment. */
import { randomBytes } from 'node:crypto'
import { EdgeError } from '../../../base/errors.ts'
import { GENESIS } from '../../chain.ts'
import type { Gateway } from './gateway.ts'
import { get, isAbsent, type KeyValue, type Operation, put, remove, transact, endOf } from './kv.ts'
import {
  type Base,
  baseOf,
  baseText,
  dataPrefix,
  generationKeys,
  type Head,
  headKey,
  headOf,
  headText,
  type Keys,
} from './records.ts'

export interface LogPlace {
  readonly gateway: Gateway
  readonly prefix: string
  readonly name: string
}

export interface Look {
  readonly head: Head
  readonly keys: Keys
  /** Undefined where somebody removed it. */
  readonly base: Base | undefined
  /** What the ranges that were asked for found. */
  readonly ranges: readonly (readonly KeyValue[])[]
  /** Of etcd: to look again at the same moment. */
  readonly revision: number
}

/** Operations of one transaction, and bytes: etcd's limits are 128 and 1.5 MiB. */
export const OPERATIONS_MAX = 100
export const REQUEST_BYTES_MAX = 1024 * 1024

export const newName = (): string => randomBytes(16).toString('hex')
/** The head, and more of its generation. `guess` is the generation it had last: where that is still so, it takes one trip. Undefined where there is no log. */
export async function lookAt(
  place: LogPlace,
  guess: string | undefined,
  more: (keys: Keys) => readonly Operation[] = () => [],
): Promise<Look | undefined> {
  let generation = guess ?? ''
  for (;;) {
    const keys = generationKeys(place.prefix, place.name, generation)
    const operations = generation === '' ? [] : [get(keys.base), ...more(keys)]
    const { ranges, revision } = await transact(place.gateway, {
      success: [get(headKey(place.prefix, place.name)), ...operations],
    })
    const head = headIn(place, ranges[0])
    if (head === undefined) return undefined
    if (head.generation === generation) {
      return { head, keys, base: baseIn(ranges[1]), ranges: ranges.slice(2), revision }
    }
    generation = head.generation
  }
}

/** The head of the log, which is made where it is not there. */
export async function headOrNew(place: LogPlace): Promise<Head> {
  const found = await lookAt(place, undefined)
  if (found !== undefined) return found.head
  const position = { log: newName(), id: 0, hash: GENESIS }
  const text = headText(position, newName())
  const head = headOf(text)!
  const { succeeded, ranges } = await transact(place.gateway, {
    compare: [isAbsent(headKey(place.prefix, place.name))],
    success: startGeneration(place, head, false),
    failure: [get(headKey(place.prefix, place.name))],
  })
  if (succeeded) return head
  return headIn(place, ranges[0]) ?? headOrNew(place)
}

/** The log begins at this head, and nothing is left of other generations: those that began and never came to be are gone with them. */
export function startGeneration(place: LogPlace, head: Head, hasParts: boolean): readonly Operation[] {
  const { id, hash } = head.position
  const { base, all } = generationKeys(place.prefix, place.name, head.generation)
  const data = dataPrefix(place.prefix, place.name)
  return [
    put(headKey(place.prefix, place.name), head.text),
    put(base, baseText({ id, hash, folder: '', hasParts })),
    remove(data, all),
    remove(endOf(all), endOf(data)),
  ]
}

export function headIn(place: LogPlace, found: readonly KeyValue[] | undefined): Head | undefined {
  const [one] = found ?? []
  if (one === undefined) return undefined
  const head = headOf(one.value.toString())
  if (head !== undefined) return head
  throw new EdgeError(
    'store-refused',
    `etcd at ${place.gateway.address}: the key "${headKey(place.prefix, place.name)}" is not what this program writes`,
    { hint: 'give this store a `store.prefix` of its own' },
  )
}

const baseIn = (found: readonly KeyValue[] | undefined): Base | undefined =>
  found?.[0] && baseOf(found[0].value.toString())

export const damaged = ({ gateway, name }: LogPlace, id: number): EdgeError =>
  new EdgeError('store-corrupt', `etcd at ${gateway.address}: entry ${id} of the log "${name}" is gone`, {
    hint: 'somebody removed keys of this store from etcd: restore it from a backup',
  })
