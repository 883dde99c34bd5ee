/**
 * What a control plane tells the edges that follow it: to each, from where it stands, the entries that come next, or a snapshot.
 *
 * An edge is told at its own pace: nothing is read for it before it has taken what came before. Edges stand at the same position most of the
 * time, so what is said from there is written down once for all of them; and those that start anew at a time share one snapshot.
 */
import { EdgeError } from '../base/errors.ts'
import { every, type Timers } from '../base/timers.ts'
import type { DnsEdgeState } from '../contract/dns.ts'
import type { EdgeHello, FeedEvent, FeedSource } from '../contract/replication.ts'
import { BEAT_MS, REPLICATION_PROTOCOL } from '../contract/replication.ts'
import { samePosition, type Position } from '../contract/store.ts'

export interface EdgeFeedOptions {
  readonly sources: readonly FeedSource[]
  readonly timers: Timers
  /** As edges are told it. */
  readonly now: () => number
  /** What is known of all edges, for those that send clients to them. */
  readonly edges?: () => readonly DnsEdgeState[]
  readonly welcome: () => Omit<Extract<FeedEvent, { event: 'welcome' }>, 'event'>
}

/** Entries that are told at once. */
const ENTRIES_AT_ONCE = 500
/** Characters of a snapshot that are told at once. */
const STATE_AT_ONCE = 256 * 1024
/** What is known of edges is that old at most when it is told. */
const EDGES_FRESH_MS = 1000
/** Writings that are kept for others at the same position: one for each log that is busy. */
const WRITTEN_MAX = 32

type FeedSnapshot = ReturnType<FeedSource['snapshot']>

interface Written {
  readonly chunk: Uint8Array
  readonly to: Position
}

export class EdgeFeed {
  readonly #options: EdgeFeedOptions
  readonly #wakes = new Set<(isBeat: boolean) => void>()
  readonly #written = new Map<string, Written>()
  /** Those that somebody is being told. */
  readonly #snapshots = new Map<string, WeakRef<FeedSnapshot>>()
  #edges: { readonly atMs: number; readonly chunk: Uint8Array } | undefined
  readonly #callOffBeat: () => void
  #isClosed = false

  constructor(options: EdgeFeedOptions) {
    this.#options = options
    this.#callOffBeat = every(options.timers, BEAT_MS, () => this.#wake(true))
  }

  /** Connections that are open. */
  get size(): number {
    return this.#wakes.size
  }

  /** A log has new entries. */
  advanced(): void {
    this.#wake(false)
  }

  /** Ends all connections: edges ask again, whoever is here then. */
  close(): void {
    this.#callOffBeat()
    this.#isClosed = true
    this.#wake(true)
  }

  /**
   * The events for an edge, from where it stands. `mayGoOn` is asked again and again: false ends the stream. `onEnd` is called once, when the
   * stream is over, whoever ended it.
   */
  follow(hello: EdgeHello, mayGoOn: () => boolean, onEnd: () => void): ReadableStream<Uint8Array> {
    if (hello.protocol !== REPLICATION_PROTOCOL) {
      throw new EdgeError(
        'request-invalid',
        `this control plane speaks version ${REPLICATION_PROTOCOL} of the replication, and the edge version ${hello.protocol}`,
        { hint: 'run the same version of orla on both' },
      )
    }
    const pieces = this.#pieces(hello.positions)
    let wake: (() => void) | undefined
    let isNews = true
    // The first one says that everything was told.
    let isBeat = true
    let stream: ReadableStreamDefaultController<Uint8Array> | undefined
    const onWake = (beat: boolean) => {
      isNews ||= !beat
      isBeat ||= beat
      if (wake) return wake()
      // An edge that takes nothing is not told that it may not go on: its connection is cut.
      if (!this.#isClosed && (!beat || mayGoOn())) return
      end()
      stream?.error(new Error('this edge may not follow any more'))
    }
    this.#wakes.add(onWake)
    let isOver = false
    const end = () => {
      if (isOver) return
      isOver = true
      this.#wakes.delete(onWake)
      wake?.()
      onEnd()
    }
    const next = (): Uint8Array | undefined => {
      try {
        return pieces.next().value
      } catch (error) {
        end()
        throw error
      }
    }
    return new ReadableStream<Uint8Array>(
      {
        start: (controller) => void (stream = controller),
        // Called when the edge has taken what was there.
        pull: async (controller) => {
          while (!isOver) {
            if (this.#isClosed || !mayGoOn()) {
              end()
              controller.close()
              return
            }
            if (isNews) {
              const piece = next()
              if (piece !== undefined) return controller.enqueue(piece)
              isNews = false
            }
            if (isBeat) {
              isBeat = false
              const beat = encode({ event: 'beat', now: this.#options.now() })
              return controller.enqueue(
                hello.isSteering === true ? Buffer.concat([this.#edgesNow(), beat]) : beat,
              )
            }
            await new Promise<void>((resolve) => (wake = resolve))
            wake = undefined
          }
        },
        cancel: end,
      },
      { highWaterMark: 1 },
    )
  }

  /** Written down once for all that are told at a time. */
  #edgesNow(): Uint8Array {
    const nowMs = this.#options.now()
    if (this.#edges === undefined || Math.abs(nowMs - this.#edges.atMs) > EDGES_FRESH_MS)
      this.#edges = { atMs: nowMs, chunk: encode({ event: 'edges', edges: this.#options.edges?.() ?? [] }) }
    return this.#edges.chunk
  }

  #wake(isBeat: boolean): void {
    for (const wake of this.#wakes) wake(isBeat)
  }

  /** What is to be told next; undefined while there is nothing, and then asked again. */
  *#pieces(positions: Readonly<Record<string, Position>>): Generator<Uint8Array | undefined, never> {
    yield encode({ event: 'welcome', ...this.#options.welcome() })
    const stands = new Map(Object.entries(positions))
    for (;;) {
      for (const source of this.#options.sources) {
        for (;;) {
          const stand = stands.get(source.log)
          const written = stand && this.#entries(source, stand)
          if (written === 'none') break
          if (written === undefined || written === 'reset') {
            stands.set(source.log, yield* this.#snapshot(source))
            continue
          }
          stands.set(source.log, written.to)
          yield written.chunk
        }
      }
      yield undefined
    }
  }

  #entries(source: FeedSource, from: Position): Written | 'none' | 'reset' {
    const head = source.position()
    if (samePosition(head, from)) return 'none'
    const key = `${source.log} ${from.log} ${from.id} ${from.hash} ${head.id} ${head.hash}`
    const known = this.#written.get(key)
    if (known) return known
    const entries = source.entriesAfter(from, ENTRIES_AT_ONCE)
    if (entries === 'reset') return 'reset'
    const last = entries.at(-1)
    if (last === undefined) return 'none'
    const chunk = encode({ event: 'entries', log: source.log, entries })
    const written = { chunk, to: { log: from.log, id: last.id, hash: last.hash } }
    this.#written.set(key, written)
    for (const old of this.#written.keys()) {
      if (this.#written.size <= WRITTEN_MAX) break
      this.#written.delete(old)
    }
    return written
  }

  /** One for all that start anew at a time: the log goes on from it, so it may be some entries old. */
  #snapshotOf(source: FeedSource): FeedSnapshot {
    const known = this.#snapshots.get(source.log)?.deref()
    if (known && source.entriesAfter(known.position, 1) !== 'reset') return known
    const snapshot = source.snapshot()
    this.#snapshots.set(source.log, new WeakRef(snapshot))
    return snapshot
  }

  *#snapshot(source: FeedSource): Generator<Uint8Array, Position> {
    const { log } = source
    const { position, entries } = this.#snapshotOf(source)
    let bytes = 0
    for (const [key, value] of entries) bytes += key.length + value.length
    const { key } = this.#options.welcome()
    yield encode({ event: 'reset', log, position, count: entries.size, bytes, key })
    let pairs: (readonly [string, string])[] = []
    let size = 0
    for (const pair of entries) {
      pairs.push(pair)
      size += pair[0].length + pair[1].length
      if (size < STATE_AT_ONCE) continue
      yield encode({ event: 'state', log, pairs })
      pairs = []
      size = 0
    }
    if (pairs.length > 0) yield encode({ event: 'state', log, pairs })
    yield encode({ event: 'loaded', log })
    return position
  }
}

/** JSON has no line ends of its own, so an event is one line of data. */
function encode({ event, ...data }: FeedEvent): Uint8Array {
  return Buffer.from(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)
}
