/** Every policy by its name in the configuration. */
import type { PolicyName } from '../../config/cache-schema.ts'
import type { PolicyEntry, PolicyOptions, ReplacementPolicy } from '../../contract/replacement-policy.ts'
import { Arc } from './arc.ts'
import { Clock } from './clock.ts'
import { Fifo } from './fifo.ts'
import { Gdsf } from './gdsf.ts'
import { Lfu } from './lfu.ts'
import { Lru } from './lru.ts'
import { PlainLfu } from './plain-lfu.ts'
import { RandomChoice } from './random.ts'
import { S3Fifo } from './s3-fifo.ts'
import { Sieve } from './sieve.ts'
import { WTinyLfu } from './w-tinylfu.ts'

export type { PolicyName }

interface PolicyConstructor {
  new <E extends PolicyEntry<E>>(options: PolicyOptions): ReplacementPolicy<E>
}

const POLICIES: Readonly<Record<PolicyName, PolicyConstructor>> = {
  lru: Lru,
  lfu: Lfu,
  'plain-lfu': PlainLfu,
  fifo: Fifo,
  random: RandomChoice,
  clock: Clock,
  sieve: Sieve,
  's3-fifo': S3Fifo,
  arc: Arc,
  'w-tinylfu': WTinyLfu,
  gdsf: Gdsf,
}

export const POLICY_NAMES = Object.keys(POLICIES) as PolicyName[]

/** @throws RangeError where there is no policy of that name. */
export function createPolicy<E extends PolicyEntry<E>>(
  name: PolicyName,
  options: PolicyOptions,
): ReplacementPolicy<E> {
  if (!Object.hasOwn(POLICIES, name))
    throw new RangeError(`policy: expected one of ${POLICY_NAMES.join(', ')}, not ${JSON.stringify(name)}`)
  return new POLICIES[name]<E>(options)
}
