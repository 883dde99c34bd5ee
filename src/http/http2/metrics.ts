/** Counts of HTTP/2, as plain numbers. */
import type { MetricSample } from '../../contract/messages.ts'

export class Http2Metrics {
  connections = 0
  connectionsTotal = 0
  streams = 0
  /** By who reset and why. */
  private readonly resets = new Map<string, number>()
  /** Connections that we ended because of an error, by reason. */
  private readonly errors = new Map<string, number>()

  countReset(by: 'client' | 'edge', reason: string): void {
    const key = `${by} ${reason}`
    this.resets.set(key, (this.resets.get(key) ?? 0) + 1)
  }

  countError(reason: string): void {
    this.errors.set(reason, (this.errors.get(reason) ?? 0) + 1)
  }

  samples(): MetricSample[] {
    if (this.connectionsTotal === 0) return []
    const samples: MetricSample[] = [
      { name: 'orla_http2_connections', labels: {}, value: this.connections },
      { name: 'orla_http2_connections_total', labels: {}, value: this.connectionsTotal },
      { name: 'orla_http2_streams_total', labels: {}, value: this.streams },
    ]
    for (const [key, value] of this.resets) {
      const [by = '', reason = ''] = key.split(' ')
      samples.push({ name: 'orla_http2_resets_total', labels: { by, reason }, value })
    }
    for (const [reason, value] of this.errors)
      samples.push({ name: 'orla_http2_connection_errors_total', labels: { reason }, value })
    return samples
  }
}
