/**
 * A version as the worker's side of the sandbox knows it: a number for it, what a sandbox is told, how it fares.
 */
import { PaceBudget, type Pace } from '../base/pace-budget.ts'
import { UnitHealth } from './unit-health.ts'
import { UnitMetrics } from './unit-metrics.ts'
import type { MetricSample } from '../contract/messages.ts'
import type { UnitCode } from './isolate-host.ts'
import { versionKey, type FailureReason, type UnitVersion } from '../contract/unit.ts'

/** Lines of a unit that are passed on. */
export const LOG_LINES: Pace = { most: 200, everyMs: 10 }

export class UnitSlot {
  /** Stands for the version in frames. Never used twice. */
  readonly index: number
  readonly unit: UnitVersion
  readonly key: string
  readonly health: UnitHealth
  readonly metrics = new UnitMetrics()
  /** Log lines. The rest is counted. */
  readonly lines = new PaceBudget(0, LOG_LINES)
  /** In a sandbox of its own, because the process died twice with it inside. */
  isOnProbation = false
  /** When a process last died in a way that may have been its doing; monotonic milliseconds. */
  suspectedAt = -Infinity
  /** Not run any more, and why. */
  quarantined: FailureReason | undefined
  /** Invocations under way that pass through it. */
  users = 0
  isReleased = false
  /** Requests that start now do not meet it. */
  isOff = false
  /** Only tried: not live, so nobody else needs to know how it fares. */
  readonly isTrial: boolean

  constructor(index: number, unit: UnitVersion, random: () => number, isTrial = false) {
    this.index = index
    this.unit = unit
    this.key = versionKey(unit)
    this.health = new UnitHealth(random)
    this.isTrial = isTrial
  }

  /** What it counted, and the state of its breaker. A shadow answers nobody: what it does counts as none of its version's runs. */
  samples(worker: string): MetricSample[] {
    if (this.unit.shadow !== undefined) return []
    const { name, version } = this.unit
    const now = this.quarantined === undefined ? this.health.breaker.state : 'quarantined'
    const states = ['closed', 'half-open', 'open', 'quarantined'].map((state) => ({
      name: 'orla_unit_breaker_state',
      labels: { unit: name, version: String(version), state, worker },
      value: state === now ? 1 : 0,
    }))
    return [...this.metrics.samples(this.unit), ...states]
  }

  /** For a sandbox on this node. */
  codeFor(node: UnitCode['node']): UnitCode {
    const { name, version, env, code, manifest, isTest = false, source } = this.unit
    const { cpuMs, memoryMb } = manifest.limits
    const hasRedis = source !== undefined
    return { name, version, env, node, code, cpuMs, memoryMb, isTest, hasRedis }
  }
}

/** The slots and phases of a trip's steps. */
export interface Way {
  readonly units: readonly UnitSlot[]
  readonly phases: readonly number[]
}

export const mayRun = (unit: UnitSlot, now: number): boolean =>
  unit.quarantined === undefined && unit.health.breaker.admits(now)
