/** The edges of this node, as its changes and its admin API see them: those that follow it, or none where it follows a control plane itself. */
import type { Clock } from '../../base/clock.ts'
import { EdgeError } from '../../base/errors.ts'
import { VERSION } from '../../base/version.ts'
import type { Config } from '../../config/schema.ts'
import type { ChangeOptions, ControlledNode } from '../../control/node.ts'
import type { EdgeStatus } from '../../control/edge-shapes.ts'
import type { Position, StoreView } from '../../contract/store.ts'
import type { EdgePlane } from '../../replication/edge-plane.ts'
import type { KnownEdge, LiveTimes } from '../../replication/edge-registry.ts'
import { isLive, type EdgeLevel } from '../../replication/publication.ts'
import type { Epochs } from '../workers/epochs.ts'
import type { KvPorts } from '../kv-ports.ts'
import type { ListenSockets } from '../listen-sockets.ts'
import type { StoreFollowing } from './store-following.ts'
import type { StoreLink } from './store-link.ts'
import type { EdgeWaiting } from '../changes/unit-changes.ts'
import type { WorkerPool } from '../workers/worker-pool.ts'

export interface NodeEdgesParts {
  /** Undefined: this node is an edge. */
  readonly plane: EdgePlane | undefined
  readonly link: Pick<StoreLink, 'follows'>
  readonly store: StoreView
  readonly kv: KvPorts
  readonly secrets: { key(): string }
  readonly self: () => EdgeStatus
}

export type EdgeMethods = Pick<
  ControlledNode,
  'edges' | 'forgetEdge' | 'follow' | 'report' | 'orderKv' | 'secretKey'
>

export function nodeEdges(parts: NodeEdgesParts): EdgeMethods & { readonly waiting: EdgeWaiting } {
  const { plane, store } = parts
  const known = (): readonly KnownEdge[] => plane?.edges() ?? []
  const control = (): EdgePlane => {
    if (plane) return plane
    throw new EdgeError(
      'not-control-plane',
      `this node is an edge of ${parts.link.follows}, and edges do not follow it`,
      {
        hint: `let them follow ${parts.link.follows}`,
      },
    )
  }
  return {
    edges: () => [
      parts.self(),
      ...known()
        .map((edge) => statusOf(edge, store.position(), plane?.liveMs(edge.name)))
        .toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    ],
    forgetEdge: (name) => statusOf(control().forget(name), store.position()),
    follow: (hello, caller, isAllowed) => control().follow(hello, caller, isAllowed),
    report: (report, caller) => control().report(report, caller),
    async orderKv(batch, from) {
      control()
      return parts.kv.uplink.send(batch, from)
    },
    secretKey() {
      control()
      return parts.secrets.key()
    },
    waiting: edgeWaiting(control, known),
  }
}

/** `control` throws where this node is an edge. */
export function edgeWaiting(control: () => EdgePlane, known: () => readonly KnownEdge[]): EdgeWaiting {
  return {
    level: (options) => levelOf(options, known().length > 0),
    wait: (level, position, timeoutMs) => control().wait(level, position, timeoutMs),
    running: (position) =>
      known().flatMap((edge) => (edge.presence === 'connected' && isLive(edge, position) ? [edge.name] : [])),
    count(position) {
      const all = known().filter(({ presence }) => presence !== 'stopped')
      const live = all.filter((edge) => isLive(edge, position))
      return {
        live: live.length,
        of: all.length,
        workers: live.reduce((sum, edge) => sum + edge.workers.live, 0),
        ofWorkers: all.reduce((sum, edge) => sum + edge.workers.of, 0),
      }
    },
  }
}

export function levelOf({ wait, edges }: ChangeOptions, hasEdges: boolean): EdgeLevel | undefined {
  if (wait === 'edges' && Array.isArray(edges)) return { kind: 'named', names: edges as readonly string[] }
  if (wait === 'edges' && typeof edges === 'number') return { kind: 'quorum', count: edges }
  if (!hasEdges) return undefined
  return wait === 'edges' ? { kind: 'quorum', count: undefined } : { kind: 'all' }
}

function statusOf(edge: KnownEdge, head: Position, liveMs?: LiveTimes): EdgeStatus {
  const { live, workers, rejected } = edge
  return {
    name: edge.name,
    role: 'edge',
    presence: edge.presence,
    groups: [...edge.groups],
    version: edge.version,
    epoch: edge.epoch,
    enabled: edge.enabled,
    position: live,
    lag: live.log === head.log ? Math.max(0, head.id - live.id) : head.id,
    lastSeen: edge.lastSeen,
    addresses: [...edge.addresses],
    live: { workers: workers.live, of: workers.of },
    ...(rejected && { rejected: { id: rejected.id, problems: [...rejected.problems] } }),
    ...(liveMs && { liveMs }),
    workers: [],
  }
}

export interface SelfParts {
  readonly config: Config
  readonly store: StoreView
  readonly clock: Clock
  readonly sockets: ListenSockets
  readonly link: StoreLink
  readonly pool: WorkerPool
  readonly epochs: Epochs
  readonly following: StoreFollowing
}

/** This node itself. */
export function selfStatus(parts: SelfParts): EdgeStatus {
  const { config, store, pool, epochs, following } = parts
  const { position, rejected } = following
  return {
    name: config.node.name ?? '',
    role: parts.link.follows !== undefined ? 'edge' : 'control',
    presence: 'connected',
    groups: [...config.node.groups],
    version: VERSION,
    epoch: epochs.live.epoch,
    enabled: epochs.live.enabled,
    position,
    lag: Math.max(0, store.position().id - position.id),
    lastSeen: parts.clock.now(),
    addresses: [...parts.sockets.addresses],
    live: { workers: pool.ready().length, of: pool.size },
    ...(rejected && { rejected: { id: rejected.id, problems: [...rejected.problems] } }),
    workers: pool.slots.map(({ index, worker, restarts }) => ({
      worker: index,
      pid: worker?.pid ?? 0,
      state: worker === undefined || worker.phase === 'gone' ? 'replacing' : worker.phase,
      restarts,
    })),
  }
}
