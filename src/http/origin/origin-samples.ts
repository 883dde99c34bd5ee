/** What an origin and its endpoints did, as metrics. Read at a scrape. */
import type { HistogramValue, MetricSample } from '../../contract/messages.ts'
import type { CircuitBreaker } from './circuit-breaker.ts'
import type { OverflowReason } from './endpoint-stats.ts'
import type { Member } from './member.ts'
import type { Membership } from './membership.ts'
import type { Pool } from './pool.ts'

export class RetryCounts {
  /** Retries that the budget did not allow. */
  overBudget = 0
  readonly byReason = new Map<string, number>()

  count(reason: string): void {
    this.byReason.set(reason, (this.byReason.get(reason) ?? 0) + 1)
  }
}

const STATES = ['up', 'down', 'ejected'] as const

export function originSamples(
  site: string,
  membership: Membership,
  pool: Pool,
  retries: RetryCounts,
  nowMs: number,
): MetricSample[] {
  const samples = membership.all().flatMap((member) => memberSamples(site, member, nowMs))
  const add = (name: string, labels: Record<string, string>, value: number) =>
    samples.push({ name, labels: { site, ...labels }, value })
  for (const [reason, value] of retries.byReason) add('orla_origin_retries_total', { reason }, value)
  add('orla_origin_retries_refused_total', {}, retries.overBudget)
  add('orla_origin_panic', {}, pool.isPanicking ? 1 : 0)
  add('orla_origin_unresolved_names', {}, membership.unresolved().length)
  return samples
}

export const breakerSamples = (site: string, breaker: CircuitBreaker, nowMs: number): MetricSample[] => [
  { name: 'orla_origin_circuit_open', labels: { site }, value: breaker.state(nowMs) === 'closed' ? 0 : 1 },
  { name: 'orla_origin_circuit_refused_total', labels: { site }, value: breaker.refused },
]

function memberSamples(site: string, member: Member, nowMs: number): MetricSample[] {
  const { stats, settings, addressText } = member
  const own = { site, endpoint: settings.name, address: addressText }
  const samples: MetricSample[] = []
  const add = (name: string, value: number | HistogramValue, labels: Record<string, string> = {}) =>
    samples.push({ name: `orla_origin_endpoint_${name}`, labels: { ...own, ...labels }, value })
  const { open, idle, waiting } = member.endpoint.counts
  add('requests_total', stats.requests)
  for (let group = 1; group <= 5; group += 1) {
    const count = stats.answers[group]!
    if (count > 0) add('answers_total', count, { status: `${group}xx` })
  }
  for (const [reason, count] of stats.errorsByReason) add('errors_total', count, { reason })
  add('connect_duration_seconds', stats.connects.value)
  add('response_duration_seconds', stats.responses.value)
  add('active', member.active)
  add('connections', open)
  add('connections_idle', idle)
  add('waiting', waiting)
  const health = member.health(nowMs)
  for (const state of STATES) add('state', state === health ? 1 : 0, { state })
  add('ejections_total', stats.ejections)
  for (const reason of Object.keys(stats.overflows) as OverflowReason[])
    add('overflows_total', stats.overflows[reason], { reason })
  const { ok, failed } = stats.checks
  if (ok + failed > 0) {
    add('checks_total', ok, { result: 'ok' })
    add('checks_total', failed, { result: 'failed' })
  }
  return samples
}
