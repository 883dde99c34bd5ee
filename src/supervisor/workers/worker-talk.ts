/** What the node says to a worker that starts, and who is told what a worker says. */
import { randomBytes } from 'node:crypto'
import type { SharedWords } from '../../base/shared-words.ts'
import type { Config } from '../../config/schema.ts'
import type { FromWorker, RequestTrace } from '../../contract/messages.ts'
import { versionKey } from '../../contract/unit.ts'
import type { Bundles } from '../../sandbox/bundle-files.ts'
import type { CacheDisks } from '../cache-disks.ts'
import type { Epochs } from './epochs.ts'
import type { EdgeStates } from '../dns/edge-states.ts'
import type { KvService } from '../kv-service.ts'
import type { LimitRegions } from '../limits/limit-regions.ts'
import type { ListenSockets } from '../listen-sockets.ts'
import type { Log } from '../log.ts'
import type { MetricSums } from '../metrics/metric-sums.ts'
import type { NodeMetrics } from '../metrics/node-metrics.ts'
import type { Quarantines } from './quarantine.ts'
import type { NodePurging } from '../purging/node-purging.ts'
import type { NodeBanning } from '../bans/node-banning.ts'
import type { LocalHealth } from '../rollouts/local-health.ts'
import { RepeatedLines } from './repeated-lines.ts'
import type { SandboxWatch } from './sandbox-watch.ts'
import type { TailHub } from '../tail-hub.ts'
import type { TelemetryKeeper } from '../telemetry-keeper.ts'
import type { TlsKeeper } from '../certificates/tls-keeper.ts'
import type { UnitTimers } from '../unit-timers.ts'
import type { StartMessage } from './worker-pool.ts'
import { WORKER_STDOUT, type WorkerProcess } from './worker-process.ts'

export interface WorkerTalkParts {
  /** As it was applied last. */
  readonly config: () => Config
  readonly log: Log
  readonly shared: SharedWords
  readonly bundles: Bundles
  readonly sockets: ListenSockets
  readonly kvWords: SharedWords
  readonly siblings?: SharedWords | undefined
  readonly onTrace?: (trace: RequestTrace) => void
  readonly tls: TlsKeeper
  readonly telemetry: TelemetryKeeper
  readonly epochs: () => Epochs
  readonly quarantines: Quarantines
  readonly kv: KvService
  readonly disks: CacheDisks
  readonly tailHub: TailHub
  readonly edgeStates: EdgeStates
  readonly timers: UnitTimers
  readonly sandboxes: SandboxWatch
  readonly own: NodeMetrics
  readonly health: LocalHealth
  readonly purging: NodePurging
  readonly banning: NodeBanning
  readonly sums: MetricSums
  readonly limits: LimitRegions
  /** Tells all workers what is in quarantine now. */
  readonly shareQuarantine: () => void
}

export class WorkerTalk {
  readonly #parts: WorkerTalkParts
  readonly #identity = randomBytes(8).toString('hex')
  readonly #lines = new RepeatedLines()

  constructor(parts: WorkerTalkParts) {
    this.#parts = parts
  }

  startMessage(worker: number): Omit<StartMessage, 'sockets' | 'isReplacement'> {
    const { config, shared, bundles, sockets, tls, epochs, telemetry, quarantines, kv } = this.#parts
    return {
      kind: 'start',
      worker,
      // The sites come with the units.
      config: { ...config(), sites: [] },
      identity: this.#identity,
      addresses: sockets.addresses,
      tls: tls.material,
      units: epochs().live,
      telemetry: telemetry.settings,
      quarantined: quarantines.all(),
      shared: shared.path,
      bundles,
      kv: kv.paths,
      kvWords: this.#parts.kvWords.path,
      limitWorker: this.#parts.limits.numberOf(worker),
      siblings: this.#parts.siblings?.path,
      disk: this.#parts.disks.forWorkers,
      stdout: WORKER_STDOUT,
      bans: this.#parts.banning.set,
      purgeNumber: this.#parts.purging.here.number,
      edges: this.#parts.config().dns && this.#parts.edgeStates.edges,
      isTracing: this.#parts.onTrace !== undefined,
    }
  }

  /** What may have changed while the worker started. */
  welcome(worker: WorkerProcess): void {
    const { tls, telemetry, quarantines, tailHub } = this.#parts
    if (tls.material !== undefined) worker.send({ kind: 'tls', id: 0, tls: tls.material })
    worker.send({ kind: 'telemetry', settings: telemetry.settings })
    worker.send({ kind: 'quarantine', quarantined: quarantines.all() })
    worker.send({ kind: 'tail', on: tailHub.isOn })
  }

  /** It has ended. */
  farewell(worker: WorkerProcess): void {
    const { sandboxes, sums, timers, limits } = this.#parts
    sandboxes.workerGone(worker.pid)
    sums.retire(worker.pid)
    timers.workerGone(worker)
    limits.workerGone(worker.index)
  }

  hear(worker: WorkerProcess, message: FromWorker): void {
    const { log, quarantines, own, tailHub, timers, kv, sandboxes } = this.#parts
    switch (message.kind) {
      case 'quarantine':
        if (!quarantines.add(message.quarantine)) return
        log.warn(`${versionKey(message.quarantine)} is in quarantine: ${message.quarantine.reason}`)
        return this.#parts.shareQuarantine()
      case 'tail':
        own.countTailDropped(message.dropped)
        return tailHub.publish(message.lines, message.dropped)
      case 'log':
        for (const line of message.warnings) if (this.#lines.isNews(line, worker.index)) log.warn(line)
        if (message.dropped > 0)
          log.warn(`${message.dropped} more lines of worker ${worker.index} were left out`)
        return
      case 'trace':
        return this.#parts.onTrace?.(message.trace)
      case 'shadow':
        return this.#parts.health.note(message.example)
      case 'timerRan':
        return timers.ran(worker, message)
      case 'kv': {
        const { store, id } = message.batch
        return kv.apply(message.batch, (results) => worker.send({ kind: 'kv', store, id, results }))
      }
      case 'invalidated':
      case 'unitPurge':
        return this.#parts.purging.hear(worker, message)
      case 'ban':
      case 'refusals':
        return this.#parts.banning.hear(worker, message)
      case 'sandboxes':
        return sandboxes.report(worker.pid, message.pids)
      default: // An answer, to whoever asked.
    }
  }
}
