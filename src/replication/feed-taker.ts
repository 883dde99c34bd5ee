/**
 * Takes what a control plane tells on one connection into the replicas of this edge, event by event, in order.
 *
 * Bytes may be cut anywhere. What was applied is on the disk, and a snapshot that did not come whole leaves no trace, so whoever is cut off goes
 * on from the positions of the logs with a new connection and a new one of these.
 */
import { EdgeError } from '../base/errors.ts'
import { EventReader } from '../base/server-events.ts'
import type { DnsEdgeState } from '../contract/dns.ts'
import type { FeedEvent } from '../contract/replication.ts'
import type { LogEntry, Position, SnapshotLoad } from '../contract/store.ts'

/** A log's replica here. */
export interface FollowedLog {
  position(): Position
  apply(entries: readonly LogEntry[]): void
  load(position: Position): SnapshotLoad
}

export interface JoinProgress {
  readonly log: string
  readonly entries: number
  readonly of: number
  readonly bytes: number
  readonly ofBytes: number
}

export interface FeedTakerOptions {
  readonly logs: ReadonlyMap<string, FollowedLog>
  /** Which key secrets are sealed with there, before anything that is sealed with it is taken. */
  readonly onKey: (print: string) => Promise<void>
  /** The control plane has let this edge in. */
  readonly onWelcome: () => void
  readonly onAdvanced: (log: string) => void
  /** Everything that was there at the connect is here. */
  readonly onCaughtUp: () => void
  readonly onProgress: (progress: JoinProgress) => void
  /** The control plane says what time it has. */
  readonly onTime?: (now: number) => void
  /** How all edges do, as the control plane knows them. */
  readonly onEdges?: (edges: readonly DnsEdgeState[]) => void
}

interface Load {
  readonly load: SnapshotLoad
  entries: number
  readonly of: number
  bytes: number
  readonly ofBytes: number
}

/** An event that is longer is none of ours. */
const EVENT_CHARACTERS_MAX = 64 * 1024 ** 2

export class FeedTaker {
  readonly #options: FeedTakerOptions
  readonly #reader = new EventReader()
  readonly #loads = new Map<string, Load>()

  constructor(options: FeedTakerOptions) {
    this.#options = options
  }

  /** Throws where it is no event, or does not come next: the connection is of no more use then. */
  async push(chunk: Uint8Array): Promise<void> {
    for (const { event, data } of this.#reader.push(chunk)) await this.#take(parseEvent(event, data))
    if (this.#reader.waiting > EVENT_CHARACTERS_MAX)
      throw new EdgeError('control-unreachable', 'the control plane sends an event without an end')
  }

  /** The connection is over: snapshots that did not come whole are forgotten. */
  end(): void {
    for (const { load } of this.#loads.values()) load.abort()
    this.#loads.clear()
  }

  async #take(event: FeedEvent): Promise<void> {
    const { logs, onKey, onWelcome, onAdvanced, onProgress, onCaughtUp } = this.#options
    switch (event.event) {
      case 'welcome':
        await onKey(event.key)
        return onWelcome()
      case 'entries':
        logs.get(event.log)?.apply(event.entries)
        return onAdvanced(event.log)
      case 'reset': {
        await onKey(event.key)
        this.#loads.get(event.log)?.load.abort()
        const load = logs.get(event.log)?.load(event.position)
        const { count: of, bytes: ofBytes } = event
        if (load) this.#loads.set(event.log, { load, entries: 0, of, bytes: 0, ofBytes })
        return
      }
      case 'state': {
        const loading = this.#loads.get(event.log)
        if (!loading) return
        loading.load.add(event.pairs)
        loading.entries += event.pairs.length
        for (const [key, value] of event.pairs) loading.bytes += key.length + value.length
        const { load: _load, ...progress } = loading
        return onProgress({ log: event.log, ...progress })
      }
      case 'loaded': {
        const loading = this.#loads.get(event.log)
        if (!loading) return
        const { load, entries, of, bytes, ofBytes } = loading
        // Entries prove themselves by their hashes; of a snapshot there is this.
        if (entries !== of || bytes !== ofBytes)
          throw new EdgeError('control-unreachable', 'a snapshot did not come as it was announced')
        load.commit()
        this.#loads.delete(event.log)
        return onAdvanced(event.log)
      }
      case 'edges':
        if (Array.isArray(event.edges)) this.#options.onEdges?.(event.edges)
        return
      case 'beat':
        if (typeof event.now === 'number') this.#options.onTime?.(event.now)
        // Nothing more to tell than that it is there: so everything is here.
        return onCaughtUp()
      default:
      // Of a later version, which may say more.
    }
  }
}

function parseEvent(event: string, data: string): FeedEvent {
  try {
    return { ...(JSON.parse(data) as object), event } as FeedEvent
  } catch (error) {
    throw new EdgeError('control-unreachable', 'what came from the control plane is no event of it', {
      cause: error,
    })
  }
}
