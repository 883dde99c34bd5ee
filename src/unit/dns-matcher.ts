/**
 * Which units a query of the DNS meets: those with a `dns` handler whose `hosts` name what is asked for.
 *
 * As for requests, all thinking is done when a set of units is compiled, and nothing is remembered about queries.
 */
import type { UnitSet } from '../contract/messages.ts'
import { PHASE_BITS, type UnitVersion } from '../contract/unit.ts'
import type { TripStep } from '../contract/unit-runner.ts'
import { chooseHost, compileHosts, type HostTable } from './host-table.ts'
import { byPriority, type NodeIdentity, runsOn, type StagedUnit, stagedUnits } from './matcher.ts'
import { isInShare } from './rollout/stages.ts'
import { isSampled } from './sample.ts'

/** Units that run for a query, in their order. The same combination is always the same object. */
export interface DnsPlan {
  readonly steps: readonly TripStep[]
  /** One of them names `tags` in its code: the others need not pay for them. */
  readonly readsTags: boolean
}

export interface DnsChance {
  random(): number
  /** Counts a query that matched a unit and did not run it. */
  onSampledOut(unit: UnitVersion): void
}

/** All units that match; `isDrawn` where it depends on the client which of them run. */
interface MatchedByName {
  readonly all: DnsPlan
  readonly units: readonly UnitVersion[]
  readonly staged: readonly StagedUnit[]
  readonly isDrawn: boolean
  /** What is left of `all` for some clients, by which units are in. */
  readonly variants: Map<string, DnsPlan>
}

/** Plans of one combination that are kept: few units are drawn at a time. */
const VARIANTS_MAX = 64

const NOBODY: DnsPlan = { steps: [], readsTags: false }

export class DnsMatcher {
  readonly #hosts: HostTable<MatchedByName> | undefined

  constructor(set: UnitSet, node: NodeIdentity) {
    const staged = stagedUnits(set, node)
    const all = set.enabled ? [...set.units, ...[...staged.values()].map(({ next }) => next)] : []
    const units = all
      .filter((unit) => (unit.phases & PHASE_BITS.dns) !== 0 && runsOn(unit, node))
      .toSorted(byPriority)
    if (units.length > 0)
      this.#hosts = compileHosts(units, (indices) => {
        const found = indices.map((index) => units[index]!)
        return matched(
          found,
          [...staged.values()].filter(({ next }) => found.some(({ name }) => name === next.name)),
        )
      })
  }

  get isEmpty(): boolean {
    return this.#hosts === undefined
  }

  /** The units for this name, in lower case and without the dot at its end, and this client. `only`: of these names, where it is given. */
  choose(name: string, address: string, chance: DnsChance, only?: ReadonlySet<string>): DnsPlan {
    if (this.#hosts === undefined) return NOBODY
    const found = chooseHost(this.#hosts, name)
    if (!found.isDrawn && only === undefined) return found.all
    return choose(found, address, chance, only)
  }
}

function matched(units: readonly UnitVersion[], staged: readonly StagedUnit[]): MatchedByName {
  const isDrawn = staged.length > 0 || units.some(({ manifest }) => manifest.sample.share < 1)
  return { all: planFor(units), units, staged, isDrawn, variants: new Map() }
}

const planFor = (units: readonly UnitVersion[]): DnsPlan =>
  units.length === 0
    ? NOBODY
    : {
        steps: units.map((unit) => ({ unit, phases: PHASE_BITS.dns })),
        readsTags: units.some(({ code }) => /\btags\b/.test(code)),
      }

function choose(
  found: MatchedByName,
  address: string,
  chance: DnsChance,
  only: ReadonlySet<string> | undefined,
): DnsPlan {
  const client = { random: found.isDrawn ? chance.random() : 0, address, cookie: () => undefined }
  let key = ''
  for (const unit of found.units) {
    let isIn = (only === undefined || only.has(unit.name)) && isVersionOf(found.staged, unit, address)
    if (isIn && !isSampled(unit, client)) {
      isIn = false
      chance.onSampledOut(unit)
    }
    key += isIn ? '1' : '0'
  }
  let plan = found.variants.get(key)
  if (plan === undefined) {
    plan = planFor(found.units.filter((_, index) => key[index] === '1'))
    if (found.variants.size >= VARIANTS_MAX) found.variants.clear()
    found.variants.set(key, plan)
  }
  return plan
}

/** Of a unit with a newer version on its way, a client has one of the two. */
function isVersionOf(staged: readonly StagedUnit[], unit: UnitVersion, address: string): boolean {
  for (const { next, share } of staged)
    if (next.name === unit.name) return (unit === next) === isInShare(next, share, address)
  return true
}
