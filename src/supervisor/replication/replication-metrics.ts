/** What a scrape tells of the way of the store: of a control plane how its edges do, of an edge whether it follows. */
import type { MetricSample } from '../../contract/messages.ts'
import type { StoreView } from '../../contract/store.ts'
import type { EdgePlane } from '../../replication/edge-plane.ts'
import type { StoreFollowing } from './store-following.ts'
import type { StoreLink } from './store-link.ts'

export interface ReplicationMetricsParts {
  readonly plane: EdgePlane | undefined
  readonly link: StoreLink
  readonly store: StoreView
  readonly following: () => StoreFollowing
}

const PRESENCES = ['connected', 'away', 'stopped'] as const

export class ReplicationMetrics {
  readonly #parts: ReplicationMetricsParts

  constructor(parts: ReplicationMetricsParts) {
    this.#parts = parts
  }

  samples(): readonly MetricSample[] {
    const { plane, link, following } = this.#parts
    const samples: MetricSample[] = [
      { name: 'orla_store_rejected', labels: {}, value: following().rejected === undefined ? 0 : 1 },
    ]
    if (link.isFollowing !== undefined)
      samples.push({ name: 'orla_store_followed', labels: {}, value: link.isFollowing() ? 1 : 0 })
    return plane ? [...samples, ...this.#ofEdges(plane)] : samples
  }

  #ofEdges(plane: EdgePlane): readonly MetricSample[] {
    const edges = plane.edges()
    const { log, id } = this.#parts.store.position()
    const here = edges.filter(({ presence }) => presence === 'connected')
    return [
      ...PRESENCES.map((presence) => ({
        name: 'orla_edges',
        labels: { presence },
        value: edges.filter((edge) => edge.presence === presence).length,
      })),
      {
        name: 'orla_edges_rejecting',
        labels: {},
        value: edges.filter(({ rejected }) => rejected !== undefined).length,
      },
      {
        name: 'orla_edges_lag_entries',
        labels: {},
        value: Math.max(0, ...here.map(({ live }) => (live.log === log ? id - live.id : id))),
      },
      { name: 'orla_edges_live_duration_seconds', labels: {}, value: plane.liveTimes },
    ]
  }
}
