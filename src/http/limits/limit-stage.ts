/**
 * Asks the limits of a request, one after the other, those over all sites first: the first that refuses answers.
 *
 * What an earlier limit gave stays taken where a later one refuses: whoever hammers at a login has made requests, whatever became of them.
 * A request without limits costs a comparison.
 */
import type { Decision } from '../../limit/limiter.ts'
import type { Exchange } from '../exchange.ts'
import type { StageVerdict } from '../stages.ts'
import { tellFields } from './limit-fields.ts'
import { refuse } from './refusal.ts'
import type { RequestLimit } from './request-limit.ts'
import { waitThen } from './waiting.ts'

export type Advance = (exchange: Exchange) => void

export const NO_LIMITS: readonly RequestLimit[] = []

export function askLimits(exchange: Exchange, advance: Advance): StageVerdict {
  const limits = exchange.site === undefined ? exchange.node.limits : exchange.site.limits
  return limits.length === 0 ? 'next' : askFrom(exchange, limits, 0, advance)
}

/** These, from the one at `first` on. Where the request is parked meanwhile, `advance` is called when all of them have let it go on. */
export function askFrom(
  exchange: Exchange,
  limits: readonly RequestLimit[],
  first: number,
  advance: Advance,
): StageVerdict {
  for (let at = first; at < limits.length; at++) {
    const limit = limits[at]!
    const asked = limit.ask(exchange)
    if (asked === undefined) continue
    if (asked instanceof Promise) {
      void asked.then((decision) => {
        if (exchange.gone) return
        const verdict = decision === undefined ? 'next' : settle(exchange, limit, decision)
        goOn(exchange, verdict, limits, at + 1, advance)
      })
      return 'taken'
    }
    const verdict = settle(exchange, limit, asked)
    if (verdict === 'next') continue
    if (verdict !== 'refused') goOn(exchange, verdict, limits, at + 1, advance)
    return 'taken'
  }
  return 'next'
}

/** `refused`: it is answered. A number: it is allowed, so many milliseconds later. */
type Settled = 'next' | 'refused' | number

/** Of a request that was parked, or is to be. */
function goOn(
  exchange: Exchange,
  verdict: Settled,
  limits: readonly RequestLimit[],
  at: number,
  advance: Advance,
): void {
  if (verdict === 'refused') return
  if (typeof verdict === 'number') {
    waitThen(exchange, verdict, () => goOn(exchange, 'next', limits, at, advance))
    return
  }
  if (askFrom(exchange, limits, at, advance) === 'next') advance(exchange)
}

function settle(exchange: Exchange, limit: RequestLimit, decision: Decision): Settled {
  const { counts, fields } = limit
  const { dryRun } = limit.config
  if (!decision.allowed) {
    if (!dryRun) {
      counts.refused += 1
      note(exchange, limit, 'refused', decision)
      exchange.node.banning?.refused(exchange.client.address, limit)
      refuse(exchange, limit, decision)
      return 'refused'
    }
    counts.dry_run += 1
    note(exchange, limit, 'dry-run', decision)
    return 'next'
  }
  if (fields?.onAllowed === true) tellFields(exchange, fields, decision, decision.resetMs)
  const waitMs = dryRun ? 0 : (decision.waitMs ?? 0)
  if (exchange.isDebugShown) note(exchange, limit, waitMs > 0 ? 'waited' : 'allowed', decision)
  if (waitMs === 0) {
    counts.allowed += 1
    return 'next'
  }
  counts.waited += 1
  return waitMs
}

/** For the access log and spans what did not just pass; for the debug header everything. */
function note(
  exchange: Exchange,
  { site, name }: RequestLimit,
  outcome: 'allowed' | 'refused' | 'dry-run' | 'waited',
  { remaining, retryAfterMs, waitMs }: Decision,
): void {
  if (outcome === 'refused' || outcome === 'dry-run') exchange.limit = `${name} ${outcome}`
  if (!exchange.isDebugShown) return
  const more =
    outcome === 'waited' ? `${waitMs}ms` : `${outcome === 'allowed' ? remaining : `${retryAfterMs}ms`}`
  const text = `${site === '' ? name : `${site}/${name}`} ${outcome} ${more}`
  exchange.limitNotes = exchange.limitNotes === '' ? text : `${exchange.limitNotes}, ${text}`
}
