/** The upgraded connections of a worker: how many there may be, which there are, and what passed through them. */
import type { MetricSample } from '../../contract/messages.ts'
import type { OriginHandler, SentCall } from '../../contract/origin.ts'
import type { Tunnel } from './tunnel.ts'

/** Of `config.edge.limits`. */
export interface UpgradeLimits {
  /** How many there may be. */
  readonly upgrades: number
  /** Milliseconds without a byte in either direction. */
  readonly upgradeIdle: number
  /** Milliseconds that bytes wait for a side that does not read. */
  readonly body: number
}

/** Another protocol that the origin is asked to speak. */
export interface UpgradeAsk {
  readonly protocols: string
  /** Is told the answer in place of the flow. */
  readonly handler: OriginHandler & { onSent(call: SentCall): void }
}

export class Upgrades {
  bytesIn = 0
  bytesOut = 0
  /** Exact to a sweep. */
  nowMs: number
  private readonly live: () => UpgradeLimits
  private readonly tunnels = new Set<Tunnel>()
  private total = 0
  private refused = 0

  constructor(limits: () => UpgradeLimits, nowMs: number) {
    this.live = limits
    this.nowMs = nowMs
  }

  get limits(): UpgradeLimits {
    return this.live()
  }

  /** False where all places are taken: counts a request as refused. */
  admits(): boolean {
    if (this.tunnels.size < this.limits.upgrades) return true
    this.refused += 1
    return false
  }

  add(tunnel: Tunnel): void {
    this.tunnels.add(tunnel)
    this.total += 1
  }

  remove(tunnel: Tunnel): void {
    this.tunnels.delete(tunnel)
  }

  /** Ends those that are silent or stuck. */
  sweep(nowMs: number): void {
    this.nowMs = nowMs
    for (const tunnel of this.tunnels) tunnel.checkDeadline(nowMs)
  }

  samples(): MetricSample[] {
    const sample = (name: string, value: number, labels: Record<string, string> = {}) => ({
      name,
      labels,
      value,
    })
    return [
      sample('orla_http_upgrades', this.tunnels.size),
      sample('orla_http_upgrades_total', this.total),
      sample('orla_http_upgrades_refused_total', this.refused),
      sample('orla_http_upgraded_bytes_total', this.bytesIn, { direction: 'in' }),
      sample('orla_http_upgraded_bytes_total', this.bytesOut, { direction: 'out' }),
    ]
  }
}
