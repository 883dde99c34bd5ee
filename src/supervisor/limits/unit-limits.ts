/** The limits of units' own, laid out with those of sites and told to workers with them: so they go live at the same flip as the units. */
import type { RateLimitConfig } from '../../config/schema.ts'
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
    const live = units.flatMap((unit) => {
      const site = unitOwner({ name: unit.name })
      return this.#ownOf(unit).map((config) => ({ site, config, ...this.#regions.region(site, config) }))
    })
    const next = Object.values(rollouts).flatMap(({ unit }) =>
      this.#ownOf(unit).map((config) => this.#onItsWay(unit, config, live)),
    )
    return [...live, ...next]
  }

  /** A version on its way counts with the live one where it says the same. Where it says otherwise, one memory would be two limits at once. */
  #onItsWay(unit: UnitVersion, config: RateLimitConfig, live: readonly ServedLimit[]): ServedLimit {
    const site = unitOwner(unit)
    const text = JSON.stringify(config)
    const same = live.find(
      (one) => one.site === unitOwner({ name: unit.name }) && JSON.stringify(one.config) === text,
    )
    return same === undefined ? { site, config, ...this.#regions.region(site, config) } : { ...same, site }
  }

  #ownOf(unit: UnitVersion): readonly RateLimitConfig[] {
    let field = this.#fields.get(unit)
    if (field === undefined) this.#fields.set(unit, (field = limitsOfUnit(unit)))
    return field.flatMap((limit) => (limit.kind === 'own' ? [limit.config] : []))
  }
}
