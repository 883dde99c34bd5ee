/** The limits of units' own, laid out with those of sites and told to workers with them: so they go live at the same flip as the units. */
import { unitOwner, type ServedLimit } from '../../contract/limits.ts'
import type { Served, UnitSet } from '../../contract/messages.ts'
import type { UnitVersion } from '../../contract/unit.ts'
import { limitsOfUnit, type UnitLimit } from '../../unit/limit-field.ts'
import type { LimitRegions } from './limit-regions.ts'

type Units = Pick<UnitSet, 'units' | 'rollouts'>

export class UnitLimitRegions {
  readonly #regions: LimitRegions
  /** What was written there is read once. */
  readonly #fields = new WeakMap<UnitVersion, readonly UnitLimit[]>()
  #given: Served | undefined
  #text = ''
  #served: Served | undefined

  constructor(regions: LimitRegions) {
    this.#regions = regions
  }

  /** What is served where these units are live: the same object while neither has changed. */
  with(given: Served, set: Units): Served {
    const own = this.#layOut(set)
    const text = JSON.stringify(own)
    if (this.#served !== undefined && given === this.#given && text === this.#text) return this.#served
    this.#given = given
    this.#text = text
    const limiters = [...(given.limiters ?? []), ...own]
    this.#served = own.length === 0 ? given : { ...given, limiters }
    return this.#served
  }

  #layOut({ units, rollouts = {} }: Units): readonly ServedLimit[] {
    const live = units.flatMap((unit) => this.#of(unit, unitOwner({ name: unit.name })))
    // One on its way counts in the same memory, as far as it is the same limit.
    const next = Object.values(rollouts).flatMap(({ unit }) => this.#of(unit, unitOwner(unit)))
    return [...live, ...next]
  }

  #of(unit: UnitVersion, site: string): readonly ServedLimit[] {
    let field = this.#fields.get(unit)
    if (field === undefined) this.#fields.set(unit, (field = limitsOfUnit(unit)))
    return field.flatMap((limit) => {
      if (limit.kind === 'named') return []
      const { config } = limit
      const { id, path } = this.#regions.region(unitOwner({ name: unit.name }), config)
      return [{ id, site, config, path }]
    })
  }
}
