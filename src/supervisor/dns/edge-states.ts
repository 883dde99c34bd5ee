/**
 * What this node knows of all edges, for the workers that send clients to them by DNS.
 *
 * A control plane knows its edges by what they report; an edge that serves DNS is told by its control plane with each beat. While it does not hear it,
 * it goes by what it was told last: how old that is stands in `seenAt`. Of itself a node knows best.
 */
import type { Clock } from '../../base/clock.ts'
import type { Config } from '../../config/schema.ts'
import type { DnsEdgeState } from '../../contract/dns.ts'
import type { EdgePlane } from '../../replication/edge-plane.ts'
import type { WorkerPool } from '../workers/worker-pool.ts'
import type { StoreLink } from '../replication/store-link.ts'
import type { MachineLoad } from './machine-load.ts'

export interface EdgeStatesParts {
  readonly config: Config
  readonly clock: Clock
  readonly plane: EdgePlane | undefined
  readonly link: Pick<StoreLink, 'edges'>
  readonly machine: Pick<MachineLoad, 'load'>
}

const EVERY_MS = 2_000

export class EdgeStates {
  readonly #parts: EdgeStatesParts

  constructor(parts: EdgeStatesParts) {
    this.#parts = parts
  }

  get edges(): readonly DnsEdgeState[] {
    const { config, clock, plane, link, machine } = this.#parts
    if (plane !== undefined) return plane.states()
    const { name = '', groups } = config.node
    const self = selfState({ name, groups, clock, load: machine.load })
    return [self, ...(link.edges() ?? []).filter((edge) => edge.name !== name)]
  }

  /** Tells workers, again and again. */
  keeper(pool: Pick<WorkerPool, 'broadcast'>): { start(): void; stop(): void } {
    const look = () => pool.broadcast({ kind: 'edges', edges: this.edges })
    let timer: NodeJS.Timeout | undefined
    return {
      start() {
        timer = setInterval(look, EVERY_MS)
        timer.unref()
      },
      stop: () => clearInterval(timer),
    }
  }
}

export const selfState = ({
  name,
  groups,
  clock,
  load,
}: {
  readonly name: string
  readonly groups: readonly string[]
  readonly clock: Clock
  readonly load: number | undefined
}): DnsEdgeState => ({ name, groups, isConnected: true, seenAt: clock.now(), load, isDraining: false })
