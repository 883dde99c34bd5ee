/** One scrape: what each part of the node has counted, beside the sums of its workers. */
import { VERSION } from '../../base/version.ts'
import type { MetricSample } from '../../contract/messages.ts'
import type { Epochs } from '../workers/epochs.ts'
import type { MetricSums } from './metric-sums.ts'
import type { NodeMetrics } from './node-metrics.ts'
import { ProcessMetrics, type RoleProcess } from './process-metrics.ts'
import type { Quarantines } from '../workers/quarantine.ts'
import { readiness, type Judged } from '../readiness.ts'
import type { SandboxWatch } from '../workers/sandbox-watch.ts'
import type { UnitBuilder } from '../changes/unit-builder.ts'
import { unitStates } from '../changes/unit-states.ts'

interface Counting {
  samples(): readonly MetricSample[]
}

export interface Scraped extends Judged {
  readonly builder: UnitBuilder
  readonly epochs: Epochs
  readonly quarantines: Quarantines
  readonly sandboxes: SandboxWatch
  readonly own: NodeMetrics
  /** Of the workers, those that have ended too. */
  readonly sums: MetricSums
  /** Parts that count for themselves. */
  readonly others: readonly Counting[]
  readonly packet: Counting
}

export class NodeScrape {
  readonly #parts: Scraped
  readonly #processes = new ProcessMetrics()

  constructor(parts: Scraped) {
    this.#parts = parts
  }

  samples(): readonly MetricSample[] {
    const { store, pool, epochs, quarantines, own, sums, others, packet } = this.#parts
    const { reasons, isStoreWritable } = readiness(this.#parts)
    const facts = {
      version: VERSION,
      epoch: epochs.live.epoch,
      position: store.position().id,
      isReady: reasons.length === 0,
      isStoreWritable,
      states: unitStates(store, quarantines, epochs.live),
      quarantined: quarantines.all(),
      workersReady: pool.ready().length,
      restarts: pool.slots.map(({ index, restarts }) => ({ worker: index, count: restarts })),
    }
    return [
      ...own.samples(facts),
      ...this.#processes.samples(this.#processList()),
      ...others.flatMap((part) => part.samples()),
      ...packet.samples(),
      ...sums.total(),
    ]
  }

  #processList(): RoleProcess[] {
    const { pool, sandboxes, builder } = this.#parts
    return [
      { role: 'supervisor', pid: process.pid },
      ...pool.all().map(({ pid }) => ({ role: 'worker' as const, pid })),
      ...sandboxes.pids().map((pid) => ({ role: 'sandbox' as const, pid })),
      ...(builder.pid === undefined ? [] : [{ role: 'checker' as const, pid: builder.pid }]),
    ]
  }
}
