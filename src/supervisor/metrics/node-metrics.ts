/** The metrics that the supervisor itself knows: changes, units, workers, processes. */
import { Histogram } from '../../base/histogram.ts'
import type { HistogramValue, MetricSample, Quarantine } from '../../contract/messages.ts'
import type { UnitState } from '../../control/shapes.ts'

/** Upper bounds of the duration of a change, in seconds. The promise is 0.1 at the 99th percentile. */
const CHANGE_BOUNDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

export interface NodeFacts {
  readonly version: string
  readonly epoch: number
  readonly position: number
  readonly isReady: boolean
  readonly isStoreWritable: boolean
  /** The state of each unit. */
  readonly states: readonly UnitState[]
  readonly quarantined: readonly Quarantine[]
  readonly workersReady: number
  readonly restarts: readonly { readonly worker: number; readonly count: number }[]
}

export class NodeMetrics {
  readonly #changes = { ok: 0, failed: 0 }
  readonly #duration = new Histogram(CHANGE_BOUNDS)
  #tailDropped = 0

  countChange(ok: boolean, ms: number): void {
    this.#changes[ok ? 'ok' : 'failed'] += 1
    this.#duration.observe(ms / 1000)
  }

  countTailDropped(lines: number): void {
    this.#tailDropped += lines
  }

  samples(facts: NodeFacts): MetricSample[] {
    const samples: MetricSample[] = []
    const add = (name: string, value: number | HistogramValue, labels: Record<string, string> = {}) =>
      void samples.push({ name, labels, value })
    add('orla_build_info', 1, { version: facts.version })
    add('orla_epoch', facts.epoch)
    add('orla_store_position', facts.position)
    add('orla_ready', facts.isReady ? 1 : 0)
    add('orla_store_writable', facts.isStoreWritable ? 1 : 0)
    for (const state of ['live', 'disabled', 'quarantined', 'unsigned'] as const) {
      add('orla_units', facts.states.filter((own) => own === state).length, { state })
    }
    for (const { name, version, reason } of facts.quarantined) {
      add('orla_quarantined', 1, { unit: name, version: String(version), reason })
    }
    for (const result of ['ok', 'failed'] as const)
      add('orla_changes_total', this.#changes[result], { result })
    add('orla_change_duration_seconds', this.#duration.value)
    add('orla_workers_ready', facts.workersReady)
    for (const { worker, count } of facts.restarts) {
      add('orla_worker_restarts_total', count, { worker: String(worker) })
    }
    add('orla_tail_dropped_total', this.#tailDropped)
    return samples
  }
}
