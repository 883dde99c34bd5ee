/** Counts of the HTTP plane, as plain numbers: the hot path adds, a scrape reads. */
import type { HistogramValue, MetricSample } from '../contract/messages.ts'
import { DurationHistogram } from './duration-histogram.ts'
import { versionKey, type UnitVersion } from '../contract/unit.ts'
import type { AnswerSource } from './answer.ts'

/** Versions in rollouts whose answers are counted; the one that came first makes room. */
const VERSIONS_MAX = 200

const SOURCES: readonly AnswerSource[] = ['cache', 'origin', 'unit', 'edge']

export class HttpMetrics {
  /** By source, then by status class 1 to 5. */
  private readonly requests = new Float64Array(SOURCES.length * 6)
  private readonly durations = new DurationHistogram()
  private readonly originDurations = new DurationHistogram()
  private readonly connectDurations = new DurationHistogram()
  private readonly originErrors = new Map<string, number>()
  /** By version, by status class. */
  private readonly versions = new Map<string, { readonly unit: UnitVersion; readonly counts: number[] }>()
  private readonly refused = new Map<number, number>()
  private readonly proxyHeaders = new Map<string, number>()
  private aborted = 0
  connections = 0
  connectionsTotal = 0
  bytesOut = 0

  countRequest(status: number, source: AnswerSource, durationMs: number): void {
    const at = SOURCES.indexOf(source) * 6 + Math.floor(status / 100)
    this.requests[at] = this.requests[at]! + 1
    this.durations.add(durationMs)
  }

  /** A request that met a version in a rollout. */
  countVersion(unit: UnitVersion, status: number): void {
    const key = versionKey(unit)
    let known = this.versions.get(key)
    if (known === undefined) {
      if (this.versions.size >= VERSIONS_MAX) this.versions.delete(this.versions.keys().next().value!)
      this.versions.set(key, (known = { unit, counts: [0, 0, 0, 0, 0, 0] }))
    }
    known.counts[Math.floor(status / 100)]! += 1
  }

  /** An origin has sent its head. `connectMs` is 0 on a connection that was kept. */
  countOrigin(connectMs: number, responseMs: number): void {
    if (connectMs > 0) this.connectDurations.add(connectMs)
    this.originDurations.add(responseMs)
  }

  countOriginError(code: string): void {
    this.originErrors.set(code, (this.originErrors.get(code) ?? 0) + 1)
  }

  countRefused(status: number): void {
    this.refused.set(status, (this.refused.get(status) ?? 0) + 1)
  }

  countProxyHeader(failure: string): void {
    this.proxyHeaders.set(failure, (this.proxyHeaders.get(failure) ?? 0) + 1)
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
    for (const { unit, counts } of this.versions.values()) {
      for (const [group, count] of counts.entries()) {
        const labels = { unit: unit.name, version: String(unit.version), status: `${group}xx` }
        if (count > 0) add('orla_unit_answers_total', labels, count)
      }
    }
    add('orla_http_request_duration_seconds', {}, this.durations.value)
    add('orla_origin_request_duration_seconds', {}, this.originDurations.value)
    add('orla_origin_connect_duration_seconds', {}, this.connectDurations.value)
    for (const [code, count] of this.originErrors) add('orla_origin_errors_total', { code }, count)
    for (const [status, count] of this.refused)
      add('orla_http_refused_total', { status: String(status) }, count)
    for (const [reason, count] of this.proxyHeaders)
      add('orla_http_proxy_header_refused_total', { reason }, count)
    add('orla_http_aborted_total', {}, this.aborted)
    add('orla_http_connections', {}, this.connections)
    add('orla_http_connections_total', {}, this.connectionsTotal)
    add('orla_http_sent_bytes_total', {}, this.bytesOut)
    return samples
  }
}
