/**
 * What the answer to a request is kept under, and what may be kept of its address: `caching/keys/site-key.ts` says how keys look.
 *
 * While a new version of a unit is on its way, clients that have it are told apart by a mark. What they left is met by nobody once it is
 * live or rolled back, and makes room for others in time.
 */
import type { RequestHead } from '../wire/http1/message.ts'
import type { Exchange } from './exchange.ts'

export function cacheKey({ client, plan, site, staged }: Exchange, head: RequestHead): string {
  return site!.cacheKey!.of(client, head, plan.cacheMark, staged.cacheKey)
}

/** What all that may be kept of a target begins with: a write is of consequence for every version, device and language. */
export function addressesOf({ client, site, staged }: Exchange, head: RequestHead, target: string): string[] {
  const key = site!.cacheKey!
  const address = key.plainOf(client, head, target)
  const own = staged.cacheKey
  return own === undefined ? [address] : [address, key.plainPartOf(key.of(client, head, '', own))]
}

/** Target of the origin: with the query as the key has it, so that nothing that is not in the key makes an answer. */
export function onwardTarget({ site, method, target, staged }: Exchange): string {
  const key = site?.cacheKey
  // What is not looked up is not kept either; and a unit that says what the key is answers for what it holds.
  if (key === undefined || (method !== 'GET' && method !== 'HEAD') || staged.cacheKey !== undefined)
    return target
  return key.targetOf(target)
}

/** The key holds all of the target: an answer to another method than GET, which was asked for the target as it is, may stand under it. */
export const isWholeInKey = ({ site, target, staged }: Exchange): boolean =>
  staged.cacheKey === undefined && site!.cacheKey!.targetOf(target) === target
