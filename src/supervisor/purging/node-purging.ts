/** The purges of a node and how they are wired: the log, its caches, its edges, its units, the admin API. */
import type { Clock } from '../../base/clock.ts'
import type { SiteInput } from '../../config/schema.ts'
import type { FromWorker } from '../../contract/messages.ts'
import type { PurgedTier } from '../../contract/purge.ts'
import type { EdgePlane } from '../../replication/edge-plane.ts'
import type { SqliteStore } from '../../store/sqlite-store.ts'
import { listSites } from '../../site/records.ts'
import type { ScopedSite } from '../../site/scope.ts'
import type { Log } from '../log.ts'
import { levelOf } from '../replication/node-edges.ts'
import type { StoreLink } from '../replication/store-link.ts'
import type { WorkerPool } from '../workers/worker-pool.ts'
import type { WorkerProcess } from '../workers/worker-process.ts'
import { NodePurges } from './node-purges.ts'
import { purgeControl, type AskPurge } from './purge-control.ts'
import { PurgeWriter } from './purge-writer.ts'
import { UnitPurges } from './unit-purges.ts'
import type { ToldWorker } from '../workers/told-worker.ts'

export interface NodePurgingParts {
  readonly store: SqliteStore
  readonly link: StoreLink
  /** Undefined: this node is an edge. */
  readonly plane: EdgePlane | undefined
  readonly clock: Clock
  readonly log: Log
  /** What keeps answers on the disk; it has started when `here.start` is called. */
  readonly tier?: PurgedTier | undefined
  readonly pool: () => WorkerPool
  /** The program that this one has taken over from: its workers keep answers, too. */
  readonly before?: { readonly keeper: ToldWorker } | undefined
  readonly onApplied: () => void
  readonly assertTakesChanges: () => void
}

export class NodePurging {
  readonly here: NodePurges
  readonly ask: AskPurge
  readonly #units: UnitPurges

  constructor(parts: NodePurgingParts) {
    const { store, link, plane, pool, before } = parts
    const predecessors = before === undefined ? [] : [before.keeper]
    this.here = new NodePurges({ ...parts, workers: () => [...pool().all(), ...predecessors] })
    const sites = () => listSites(store).map(([name, { input }]) => scoped(name, input))
    this.ask = purgeControl({
      ...parts,
      here: this.here,
      writer: new PurgeWriter({ ...parts, writer: link.writer, ledger: this.here.ledger }),
      level: (options) => levelOf(options, (plane?.edges().length ?? 0) > 0),
      workers: () => ({ workers: pool().ready().length, of: pool().size }),
      siteNames: () => listSites(store).map(([name]) => name),
    })
    this.#units = new UnitPurges({
      ...parts,
      here: this.here,
      ask: this.ask,
      askControl: link.askControl,
      position: () => store.position(),
      sites,
    })
  }

  /** What a worker says of purges. */
  hear(worker: WorkerProcess, message: Extract<FromWorker, { kind: 'invalidated' | 'unitPurge' }>): void {
    if (message.kind === 'invalidated') return this.here.invalidated(worker.index, message.purges)
    const { id } = message
    void this.#units.outcome(message).then((outcome) => worker.send({ kind: 'unitPurged', id, outcome }))
  }
}

const scoped = (
  name: string,
  { hosts = ['*'], paths = [] }: Pick<SiteInput, 'hosts' | 'paths'>,
): ScopedSite => ({ name, hosts, paths: paths.length === 0 ? ['/*'] : paths })
