/** The versions of a set that run beside the live ones. */
import type { UnitSet } from '../../contract/messages.ts'
import type { UnitVersion } from '../../contract/unit.ts'
import type { TripStep } from '../../contract/unit-runner.ts'
import { compileUnits, type NodeIdentity, type UnitMatcher } from '../../unit/matcher.ts'

export interface ShadowUnit {
  readonly live: UnitVersion
  readonly next: UnitVersion
  /** Of the clients whose requests it runs on. */
  readonly share: number
  /** Finds `next` alone. */
  readonly matcher: UnitMatcher
  /** The same steps for the same phases: what is made of them is kept by them. */
  stepsOf(phases: number): readonly TripStep[]
}

export function compileShadows(set: UnitSet, node: NodeIdentity): readonly ShadowUnit[] {
  if (!set.enabled) return []
  return Object.entries(set.rollouts ?? {}).flatMap(([name, rollout]): ShadowUnit[] => {
    const live = set.units.find((unit) => unit.name === name)
    if (rollout.kind !== 'shadow' || live === undefined) return []
    const next = rollout.unit
    const known = new Map<number, readonly TripStep[]>()
    const alone: UnitSet = { epoch: set.epoch, enabled: true, units: [next], lastGood: {} }
    return [
      {
        live,
        next,
        share: rollout.share,
        matcher: compileUnits(alone, node),
        stepsOf(phases) {
          let steps = known.get(phases)
          if (steps === undefined) known.set(phases, (steps = [{ unit: next, phases }]))
          return steps
        },
      },
    ]
  })
}
