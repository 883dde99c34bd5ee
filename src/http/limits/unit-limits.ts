/**
 * Limits as units have to do with them: those in the field `limit`, which a request passes before its unit runs, and those that a unit asks for by name.
 *
 * A limit that the stage asks every request about is not asked about again: a request takes of it once. What names no limit is the unit's failure, told as such.
 */
import { ALL_SITES, unitOwner } from '../../contract/limits.ts'
import { failurePolicy, type Phase, type UnitVersion } from '../../contract/unit.ts'
import type { Decision } from '../../limit/limiter.ts'
import { isAsked, limitsOfUnit, type UnitLimit } from '../../unit/limit-field.ts'
import type { Exchange } from '../exchange.ts'
import { planAfterRefusal } from '../unit-plan.ts'
import type { NamedLimit } from './limit-kinds.ts'
import { type Advance, askFrom } from './limit-stage.ts'
import type { SetLimits } from './live-limits.ts'
import type { RequestLimit } from './request-limit.ts'

/** Who asks. */
export interface Asker {
  /** The unit's name and version. */
  readonly unit: Pick<UnitVersion, 'name' | 'version'>
  /** Name of the site that the request is for; undefined where there is none. */
  readonly site: string | undefined
}

/** What a request passes before a unit runs. */
export interface UnitAsk {
  readonly limits: readonly RequestLimit[]
  /** A name in its field that no limit has. */
  readonly unknown: string | undefined
}

export class UnitLimits {
  private readonly live: () => SetLimits
  /** What was written there is read once. */
  private readonly fields = new WeakMap<UnitVersion, readonly UnitLimit[]>()
  private readonly asks = new WeakMap<SetLimits, WeakMap<UnitVersion, Map<string, UnitAsk>>>()

  constructor(live: () => SetLimits) {
    this.live = live
  }

  /** For a request of a site. */
  of(unit: UnitVersion, site = ALL_SITES): UnitAsk {
    const set = this.live()
    let byUnit = this.asks.get(set)
    if (byUnit === undefined) this.asks.set(set, (byUnit = new WeakMap()))
    let bySite = byUnit.get(unit)
    if (bySite === undefined) byUnit.set(unit, (bySite = new Map()))
    let ask = bySite.get(site)
    if (ask === undefined) bySite.set(site, (ask = this.askOf(set, unit, site)))
    return ask
  }

  private askOf(set: SetLimits, unit: UnitVersion, site: string): UnitAsk {
    const limits: RequestLimit[] = []
    let unknown: string | undefined
    for (const limit of this.fieldOf(unit).filter(isAsked)) {
      const found = limit.kind === 'own' ? ownOf(set, unit, limit.config.name) : set.named(site, limit.name)
      if (found === undefined && limit.kind === 'named') unknown ??= limit.name
      // The stage has asked about it.
      if (found?.forUnits !== undefined && (limit.kind === 'own' || found.request === undefined))
        limits.push(found.forUnits)
    }
    return { limits, unknown }
  }

  private fieldOf(unit: UnitVersion): readonly UnitLimit[] {
    let field = this.fields.get(unit)
    if (field === undefined) this.fields.set(unit, (field = limitsOfUnit(unit)))
    return field
  }

  // ── edge.limit ──────────────────────────────────────────────────────────────────────────────────────────────

  /** Undefined where there is no limit of that name. Throws a RangeError where it is one of which nothing is taken. */
  take(
    { unit, site = ALL_SITES }: Asker,
    name: string,
    key: string,
    cost: number,
  ): Decision | Promise<Decision> | undefined {
    const set = this.live()
    const limit = ownOf(set, unit, name) ?? set.named(site, name)
    if (limit === undefined) return undefined
    if (limit.take === undefined)
      throw new RangeError(`\`${name}\` limits requests in flight or bytes a second: nothing is taken of it`)
    return limit.take(key, cost)
  }

  names({ unit, site = ALL_SITES }: Asker): readonly string[] {
    const set = this.live()
    const own = [unitOwner(unit), unitOwner({ name: unit.name })].flatMap((owner) => set.ownedNames(owner))
    return [...new Set([...own, ...set.names(site)])]
  }
}

/** A version on its way has its own where it says something else than the live one. */
const ownOf = (set: SetLimits, unit: Asker['unit'], name: string): NamedLimit | undefined =>
  set.owned(unitOwner(unit), name) ?? set.owned(unitOwner({ name: unit.name }), name)

/** Has the request pass the limits of a unit; then `goOn`, in this turn or later. Where one refuses, it is answered, and nothing of the unit runs on it. */
export function passLimits(exchange: Exchange, unit: UnitVersion, phase: Phase, goOn: Advance): void {
  const { limits, unknown } = exchange.node.unitLimits.of(unit, exchange.site?.name)
  if (unknown !== undefined) {
    const message = `limit: there is no limit called \`${unknown}\``
    exchange.node.runner.refused(unit, phase, 'throw', message)
    if (failurePolicy(unit.manifest, phase) !== 'open') {
      exchange.failUnit(unit.name, 'throw')
      return
    }
  }
  const { plan } = exchange
  exchange.plan = planAfterRefusal(plan, unit)
  const allowed = (): void => {
    exchange.plan = plan
    goOn(exchange)
  }
  if (limits.length === 0 || askFrom(exchange, limits, 0, allowed) === 'next') allowed()
}
