/**
 * The field `limit` of a unit: what a request takes of before the unit runs.
 *
 * A name means a limit of the site or of the node. Whatever else is a limit of the unit's own, in the words of the configuration: a text such as `10/1m` is its
 * rate. It is kept as it was written, and read where the unit goes live: so what is live everywhere is what this version of the program makes of it.
 */
import { checkLimit } from '../config/check.ts'
import { parseRate, type RateLimitConfig } from '../config/limit-schema.ts'
import { PHASE_BITS, type LimitField, type Manifest, type UnitVersion } from '../contract/unit.ts'

/** Of one unit. Each costs every request that the unit runs for. */
const LIMITS_MAX = 8
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/
const EXPECTED =
  'expected the name of a limit, a rate such as "10/1m", an object such as { rate: "10/1m", key: "address" }, or a list of these'

/** By whom is counted where a limit of a unit's own does not say so; and the word for one that counts nothing by itself, but is there for the unit to ask. */
const DEFAULT_KEY = 'address'
const ASKED_BY_UNIT = 'unit'

export type UnitLimit =
  | { readonly kind: 'named'; readonly name: string }
  | { readonly kind: 'own'; readonly config: RateLimitConfig }

/** What is in the field as a list: rates as objects. What is wrong in it stays as it is. */
export function limitFields(given: unknown): readonly LimitField[] {
  const list: readonly unknown[] = Array.isArray(given) ? given : [given]
  return list.map((item) =>
    typeof item === 'string' && parseRate(item) !== undefined ? { rate: item } : (item as LimitField),
  )
}

/** What is wrong with what a module or a deploy says, each in words that name the place. */
export function limitFieldProblems(given: unknown): string[] {
  if (given === undefined) return []
  const list = limitFields(given)
  if (list.length > LIMITS_MAX)
    return [`\`limit\`: ${list.length} limits, and a unit has at most ${LIMITS_MAX}`]
  if (list.length === 0) return [`\`limit\`: ${EXPECTED}, not an empty list`]
  const problems = list.flatMap((item, index) => {
    const at = Array.isArray(given) ? `limit[${index}]` : 'limit'
    if (typeof item === 'string')
      return NAME.test(item) ? [] : [`\`${at}\`: ${EXPECTED}, not ${JSON.stringify(item).slice(0, 80)}`]
    if (typeof item !== 'object' || item === null || Array.isArray(item))
      return [`\`${at}\`: ${EXPECTED}, not ${JSON.stringify(item)?.slice(0, 80)}`]
    return ownProblems(item, at)
  })
  return problems.length > 0 ? problems : calledTwice(list)
}

function ownProblems(item: Readonly<Record<string, unknown>>, at: string): string[] {
  const { kind = 'rate' } = item
  if (kind !== 'rate')
    return [
      `\`${at}.kind\`: a limit of a unit's own is one of "rate"; others stand in the configuration, for sites`,
    ]
  const checked = checkLimit(complete(item, 'unit'))
  if (checked.kind === 'limit') return []
  return checked.problems.map(({ path, message }) => `\`${path === '' ? at : `${at}.${path}`}\`: ${message}`)
}

/** Where one unit has several limits, each has a state and a place in the answer by its name. */
function calledTwice(list: readonly LimitField[]): string[] {
  const names = new Set<unknown>()
  for (const item of list) {
    const name = typeof item === 'string' ? item : item['name']
    if (names.has(name))
      return [
        name === undefined
          ? "`limit`: of several limits of a unit's own each has a `name`"
          : `\`limit\`: two limits are called ${JSON.stringify(name)}`,
      ]
    names.add(name)
  }
  return []
}

/** In the words of the configuration, where a limit without `key` is for units to ask. */
function complete(item: Readonly<Record<string, unknown>>, unit: string): object {
  const { key = DEFAULT_KEY, ...rest } = item
  return { name: unit, ...rest, ...(key !== ASKED_BY_UNIT && { key }) }
}

/** Where a request is refused, before its unit runs. What runs around the origin runs once for all who wait for the same answer. */
const REFUSING = PHASE_BITS.rewrite | PHASE_BITS.access | PHASE_BITS.content

/** What is wrong between a unit's handlers and its limits. */
export function limitProblems(phases: number, manifest: Manifest): string[] {
  if ((phases & REFUSING) !== 0 || !limitsOfUnit({ name: 'unit', manifest }).some(isAsked)) return []
  return [
    '`limit` is for units with `rewrite`, `access`, `content` or `fetch`: in the other phases no single request can be refused; `key: "unit"` makes a limit that counts only where the unit asks',
  ]
}

/** Requests are counted by it, before the unit runs. */
export const isAsked = (limit: UnitLimit): boolean => limit.kind === 'named' || limit.config.key !== undefined

/** The limits of a version, ready to be laid out. What this program cannot read is left out: it was checked where it was deployed. */
export function limitsOfUnit({
  name,
  manifest,
}: Pick<UnitVersion, 'name' | 'manifest'>): readonly UnitLimit[] {
  return (manifest.limit ?? []).flatMap((item): readonly UnitLimit[] => {
    if (typeof item === 'string') return [{ kind: 'named', name: item }]
    const checked = checkLimit(complete(item, name))
    return checked.kind === 'limit' && checked.limit.kind === 'rate'
      ? [{ kind: 'own', config: checked.limit }]
      : []
  })
}
