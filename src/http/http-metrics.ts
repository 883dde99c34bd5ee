/** Counts of the HTTP plane, as plain numbers: the hot path adds, a scrape reads. */
import type { HistogramValue, MetricSample } from '../contract/messages.ts'
import type { AnswerSource } from './exchange.ts'

/** Upper bounds of the request duration, in seconds. */
const DURATION_BOUNDS = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
] as const

const SOURCES: readonly AnswerSource[] = ['cache', 'origin', 'unit', 'edge']

export class HttpMetrics {
  /** By source, then by status class 1 to 5. */
  private readonly requests = new Float64Array(SOURCES.length * 6)
  private readonly durationCounts = new Float64Array(DURATION_BOUNDS.length + 1)
  private durationSum = 0
  private readonly cache = new Map<string, number>()
  private readonly originErrors = new Map<string, number>()
  private readonly refused = new Map<number, number>()
  private aborted = 0
  connections = 0
  connectionsTotal = 0
  bytesOut = 0

  countRequest(status: number, source: AnswerSource, durationMs: number): void {
    const at = SOURCES.indexOf(source) * 6 + Math.floor(status / 100)
    this.requests[at] = this.requests[at]! + 1
    const seconds = durationMs / 1000
    let bucket = 0
    while (bucket < DURATION_BOUNDS.length && seconds > DURATION_BOUNDS[bucket]!) bucket += 1
    this.durationCounts[bucket] = this.durationCounts[bucket]! + 1
    this.durationSum += seconds
  }

  /** A result of the look-up: `hit`, `uri-miss`, `vary-miss`, `stale`, `bypass`, `collapsed`… */
  countCache(result: string): void {
    this.cache.set(result, (this.cache.get(result) ?? 0) + 1)
  }

  countOriginError(code: string): void {
    this.originErrors.set(code, (this.originErrors.get(code) ?? 0) + 1)
  }

  countRefused(status: number): void {
    this.refused.set(status, (this.refused.get(status) ?? 0) + 1)
  }

  countAborted(): void {
    this.aborted += 1
  }

  samples(): MetricSample[] {
    const samples: MetricSample[] = []
    const add = (name: string, labels: Record<string, string>, value: number | HistogramValue) =>
      samples.push({ name, labels, value })
    SOURCES.forEach((source, row) => {
      for (let group = 1; group <= 5; group += 1) {
        const count = this.requests[row * 6 + group]!
        if (count > 0) add('orla_http_requests_total', { source, status: `${group}xx` }, count)
      }
    })
    add(
      'orla_http_request_duration_seconds',
      {},
      {
        bounds: DURATION_BOUNDS,
        counts: [...this.durationCounts],
        sum: this.durationSum,
      },
    )
    for (const [result, count] of this.cache) add('orla_cache_requests_total', { result }, count)
    for (const [code, count] of this.originErrors) add('orla_origin_errors_total', { code }, count)
    for (const [status, count] of this.refused)
      add('orla_http_refused_total', { status: String(status) }, count)
    add('orla_http_aborted_total', {}, this.aborted)
    add('orla_http_connections', {}, this.connections)
    add('orla_http_connections_total', {}, this.connectionsTotal)
    add('orla_http_sent_bytes_total', {}, this.bytesOut)
    return samples
  }
}
