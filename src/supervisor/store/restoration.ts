/**
 * Units and sites as they were, planned as a change at the end of the log: nothing is rewound, so whoever follows goes on, and what is undone
 * can be done again the same way.
 *
 * Not what was is restored, but what it was of:
 *
 *     a unit's numbers   none is given twice, so the highest one that was given stays
 *     tokens             one that was revoked stays so, and one that was made stays valid
 *     the file           what the configuration file said last: a restart does not take the file's sites for new ones
 *     a rollout          what was live for most stands where one was under way
 */
import { isUnderWay } from '../../contract/rollout.ts'
import type { Effect, StoreView } from '../../contract/store.ts'
import type { RestoreResult } from '../../control/store-shapes.ts'
import { siteKey, type SiteRecord } from '../../site/records.ts'
import {
  ENABLED_KEY,
  pointerKey,
  readPointer,
  recordKey,
  unitsEnabled,
  type UnitPointer,
} from '../../unit/records.ts'

export interface Restoration extends Pick<RestoreResult, 'units' | 'sites' | 'unitsEnabled'> {
  readonly effects: readonly Effect[]
  /** Versions that were not live and are to be. */
  readonly live: readonly { readonly name: string; readonly version: number }[]
}

interface Names {
  readonly added: string[]
  readonly changed: string[]
  readonly removed: string[]
}

/** What makes `now` what `past` was. `at`: milliseconds since 1970. */
export function planRestoration(now: StoreView, past: StoreView, at: number): Restoration {
  const effects: Effect[] = []
  const live: { name: string; version: number }[] = []
  const units = noNames()
  for (const name of namesIn(pointerKey(''), now, past)) {
    const before = readPointer(now, name, true)
    const pointer = pointerThen(before, readPointer(past, name, true), at)
    effects.push(...versions(name, before, pointer, now, past))
    // One that is under way would go on to a version that is to be none.
    const isRolling = before?.rollout !== undefined && isUnderWay(before.rollout)
    if (before && !isRolling && isSamePointer(before, pointer)) continue
    effects.push({ operation: 'SET', key: pointerKey(name), value: JSON.stringify(pointer) })
    note(units, name, (before?.live ?? 0) > 0, pointer.live > 0)
    if (pointer.live > 0 && !pointer.disabled) live.push({ name, version: pointer.live })
  }
  const sites = noNames()
  for (const name of namesIn(siteKey(''), now, past)) {
    const key = siteKey(name)
    const [before, then] = [readSite(now, key), readSite(past, key)]
    if (before && then && isSameSite(before, then)) continue
    note(sites, name, before !== undefined, then !== undefined)
    if (!then) effects.push({ operation: 'DELETE', key })
    else {
      // By hand, whoever wrote it then: a reload of the file that changes it again says so.
      const record: SiteRecord = { ...then, from: 'live', version: now.position().id + 1, at }
      effects.push({ operation: 'SET', key, value: JSON.stringify(record) })
    }
  }
  const isOn = unitsEnabled(past)
  const isSwitched = isOn !== unitsEnabled(now)
  if (isSwitched) effects.push({ operation: 'SET', key: ENABLED_KEY, value: String(isOn) })
  return { effects, live, units, sites, ...(isSwitched && { unitsEnabled: isOn }) }
}

/** The pointer to have. It may be that of a unit which is not there, whose numbers were given. */
function pointerThen(
  before: UnitPointer | undefined,
  then: UnitPointer | undefined,
  at: number,
): UnitPointer {
  const last = Math.max(before?.last ?? 0, then?.last ?? 0)
  if (!then) return { live: 0, history: [], kept: [], last, disabled: false, at }
  const { live, history, kept, disabled } = then
  return { live, history, kept, last, disabled, at }
}

/** Versions that are there now and were not then, and the other way round. */
function versions(
  name: string,
  before: UnitPointer | undefined,
  pointer: UnitPointer,
  now: StoreView,
  past: StoreView,
): readonly Effect[] {
  const gone = (before?.kept ?? []).filter((version) => !pointer.kept.includes(version))
  return [
    ...pointer.kept.flatMap((version): readonly Effect[] => {
      const key = recordKey(name, version)
      const value = past.get(key)
      return value === undefined || now.get(key) === value ? [] : [{ operation: 'SET', key, value }]
    }),
    ...gone.map((version): Effect => ({ operation: 'DELETE', key: recordKey(name, version) })),
  ]
}

function isSamePointer(one: UnitPointer, other: UnitPointer): boolean {
  const text = ({ live, history, kept, disabled }: UnitPointer) =>
    JSON.stringify([live, history, kept, disabled])
  return text(one) === text(other)
}

function readSite(store: StoreView, key: string): SiteRecord | undefined {
  const text = store.get(key)
  return text === undefined ? undefined : (JSON.parse(text) as SiteRecord)
}

const isSameSite = (one: SiteRecord, other: SiteRecord): boolean =>
  one.folder === other.folder && JSON.stringify(one.input) === JSON.stringify(other.input)

/** Names behind the prefix, in either of both. */
function namesIn(prefix: string, ...stores: readonly StoreView[]): readonly string[] {
  const keys = stores.flatMap((store) => store.list(prefix).map(([key]) => key.slice(prefix.length)))
  return [...new Set(keys)].toSorted()
}

const noNames = (): Names => ({ added: [], changed: [], removed: [] })

function note(names: Names, name: string, was: boolean, is: boolean): void {
  if (was && is) names.changed.push(name)
  else if (is) names.added.push(name)
  else if (was) names.removed.push(name)
}
