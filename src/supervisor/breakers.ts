/** The breakers of units over all workers, read from what they count: a unit is as bad as where it is worst. */
import type { MetricSample } from '../contract/messages.ts'
import type { BreakerState } from '../control/shapes.ts'

/** By `name@version`. One that is not there is closed. */
export type Breakers = ReadonlyMap<string, BreakerState>

const FROM_BAD_TO_GOOD: readonly BreakerState[] = ['open', 'half-open']

export function readBreakers(samples: readonly MetricSample[]): Breakers {
  const breakers = new Map<string, BreakerState>()
  for (const state of FROM_BAD_TO_GOOD) {
    for (const { name, labels, value } of samples) {
      if (name !== 'orla_unit_breaker_state' || labels['state'] !== state || value !== 1) continue
      const key = `${labels['unit']}@${labels['version']}`
      if (!breakers.has(key)) breakers.set(key, state)
    }
  }
  return breakers
}
