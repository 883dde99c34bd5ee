/** How the endpoint of a request is chosen, among those that are available. One function for each way. */
import type { OriginConfig } from '../../../config/schema.ts'
import type { OriginRequest } from '../../../contract/origin.ts'
import { consistentHash } from './consistent-hash.ts'
import { hashKey } from './hash-key.ts'
import { leastConnections } from './least-connections.ts'
import { randomTwo } from './random-two.ts'
import { roundRobin } from './round-robin.ts'

/** What is looked at of an endpoint. */
export interface Candidate {
  /** Its weight at this moment: less than the configured one while it starts slowly. */
  readonly share: number
  /** Requests under way there. */
  readonly active: number
  /** A number of its own, by its name: the same on every worker and every node. */
  readonly seed: number
  /** What it is owed of the turns. `round-robin` keeps it. */
  credit: number
}

/** Chooses one of at least one. `isEven`: their shares are equal. */
export type Choose = <T extends Candidate>(
  candidates: readonly T[],
  isEven: boolean,
  request: OriginRequest,
) => T

export function createBalancer(config: OriginConfig, random: () => number): Choose {
  switch (config.balance) {
    case 'round-robin':
      return roundRobin
    case 'least-connections':
      return leastConnections()
    case 'random-two':
      return randomTwo(random)
    case 'consistent-hash':
      return consistentHash(hashKey(config.hashOn))
  }
}
