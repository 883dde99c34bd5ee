/** What is to be done so that the live units of a source are what it holds. Whatever came from elsewhere is left alone, and named. */
import type { UnitOrigin } from '../contract/unit.ts'
import type { FoundUnit, Reading } from './reading.ts'

export interface SourceChanges {
  readonly deploy: readonly FoundUnit[]
  readonly unchanged: readonly FoundUnit[]
  /** Names of units that the source does not name any more. */
  readonly remove: readonly string[]
  readonly foreign: readonly { readonly found: FoundUnit; readonly reason: string }[]
}

/** What is live, by the name of the unit; `undefined` as origin: deployed by hand. */
export type LiveOrigins = ReadonlyMap<string, UnitOrigin | undefined>

/** `isConfigured`: whether a source of that name is followed. Units of one that is not belong to whichever source holds them. */
export function planChanges(
  { units, leftOut }: Reading,
  live: LiveOrigins,
  source: string,
  isConfigured: (source: string) => boolean,
): SourceChanges {
  const deploy: FoundUnit[] = []
  const unchanged: FoundUnit[] = []
  const foreign: { found: FoundUnit; reason: string }[] = []
  for (const found of units) {
    const origin = live.get(found.unit)
    const reason = live.has(found.unit) ? foreignReason(origin, found, source, isConfigured) : undefined
    if (reason !== undefined) foreign.push({ found, reason })
    else if (origin?.kind === 'source' && origin.source === source && origin.hash === found.hash)
      unchanged.push(found)
    else deploy.push(found)
  }
  // What is named and cannot run does not take the place of what does.
  const named = new Set([...units, ...leftOut].map(({ unit }) => unit))
  const remove = [...live]
    .filter(([unit, origin]) => origin?.kind === 'source' && origin.source === source && !named.has(unit))
    .map(([unit]) => unit)
  return { deploy, unchanged, remove, foreign }
}

/** Why a source may not change the unit of that name; undefined where it may. */
export function foreignReason(
  origin: UnitOrigin | undefined,
  { name, unit }: { readonly name: string; readonly unit: string },
  source: string,
  isConfigured: (source: string) => boolean,
): string | undefined {
  if (origin === undefined) return `a unit ${unit} was deployed by hand, and stays as it is`
  if (origin.name !== name) return `the unit ${unit} is \`${origin.name}\` of ${origin.source}`
  if (origin.kind === 'source' && origin.source !== source && isConfigured(origin.source))
    return `the unit ${unit} follows ${origin.source}`
  return undefined
}
