/** A control plane: the replica of an engine's log, or the log itself, changes, and edges that follow. */
import type { SharedLog } from '../../src/contract/shared-log.ts'
import type { EdgeHello, EdgeReport, FeedSource } from '../../src/contract/replication.ts'
import type { LocalStore } from '../../src/contract/store.ts'
import { EdgePlane } from '../../src/replication/edge-plane.ts'
import { EngineFollower } from '../../src/replication/engine-follower.ts'
import { storeFeed } from '../../src/replication/store-feed.ts'
import { isConflict, storeWriter, type StoreWriter } from '../../src/replication/store-writer.ts'
import { edgeWaiting } from '../../src/supervisor/replication/node-edges.ts'
import { UnitChanges } from '../../src/supervisor/changes/unit-changes.ts'
import type { Disk } from './disks.ts'
import type { Recorder } from './history.ts'
import { ProcessTime, ServingNode, type Surroundings } from './simulated-node.ts'

export interface ControlParts extends Surroundings {
  readonly name: string
  readonly disk: Disk
  readonly skewMs: number
  /** The log that it shares with others; undefined: its own. */
  readonly log: (store: LocalStore) => SharedLog
  readonly isShared: boolean
  /** What edges are told of; another one than the store's own, where a simulation breaks the rules. */
  readonly source: (source: FeedSource) => FeedSource
}

const KEEPER = 'engine'

export class SimulatedControl {
  readonly name: string
  readonly disk: Disk
  readonly time: ProcessTime
  readonly #parts: ControlParts
  #follower: EngineFollower | undefined
  serving: ServingNode | undefined
  plane: EdgePlane | undefined
  writer: StoreWriter | undefined
  changes: UnitChanges | undefined

  constructor(parts: ControlParts) {
    this.#parts = parts
    this.name = parts.name
    this.disk = parts.disk
    this.time = new ProcessTime(parts.network, parts.skewMs)
    parts.network.enter(parts.name)
    void this.#start()
  }

  kill(): void {
    this.time.end()
    this.#parts.network.leave(this.name)
    this.#follower?.close()
    this.serving = this.plane = this.writer = this.changes = undefined
  }

  follow(hello: EdgeHello): ReadableStream<Uint8Array> {
    if (!this.plane) throw new Error('it starts')
    return this.plane.follow(hello, { token: 'token', isAdmin: false }, () => true)
  }

  async ask(path: string, body: unknown): Promise<unknown> {
    if (path === '/v1/edges/key') return { key: 'key' }
    this.plane?.report(body as EdgeReport)
    return undefined
  }

  async #start(): Promise<void> {
    const { network, recorder, log: open, isShared } = this.#parts
    const { store, directory } = this.disk
    const random = () => network.random.below(1_000_000) / 1_000_000
    const note = (line: string) => recorder.note(this.name, line)
    const log = recorded(open(store), this.name, recorder)
    const onMoved = () => {
      recorder.add(this.name, { kind: 'advanced', at: store.position() })
      this.plane?.advanced()
      this.serving?.following.advanced()
    }
    let catchUp = () => Promise.resolve()
    if (isShared) {
      const follower = new EngineFollower({
        store,
        log,
        keeper: KEEPER,
        random,
        timers: this.time,
        onAdvanced: onMoved,
        onTrouble: (message) => note(message ?? 'the engine answers again'),
      })
      this.#follower = follower
      catchUp = () => follower.catchUp()
      // One that is new waits for what there is.
      if (store.keeper() === undefined && !(await this.#join(follower, store))) return
    }
    const writer = acknowledging(
      storeWriter({ store, log, clock: this.time, keeper: KEEPER, catchUp, onAppended: onMoved, random }),
      this.name,
      recorder,
    )
    const source = storeFeed(store, (id) => this.#follower?.mayBeBehind(id) ?? false)
    const plane = new EdgePlane({
      clock: this.time,
      timers: this.time,
      directory,
      sources: [this.#parts.source(source)],
      welcome: () => ({ control: this.name, version: '0', key: 'print' }),
      warn: note,
    })
    const serving = new ServingNode(this.name, this.#parts, this.disk, this.time, false, () => {})
    const edges = edgeWaiting(
      () => plane,
      () => plane.edges(),
    )
    this.changes = new UnitChanges({
      config: { edge: {} },
      store,
      writer,
      readSet: serving.readNewest,
      pool: serving.pool,
      epochs: serving.epochs,
      trials: serving.trials,
      edges,
      turns: serving.turns,
      clock: this.time,
      timers: this.time,
      log: { info: note, warn: note },
      onEnd: () => {},
    })
    this.plane = plane
    this.serving = serving
    this.writer = writer
    await serving.start()
    this.#follower?.start()
    serving.following.advanced()
  }

  /** False: it was killed meanwhile. */
  async #join(follower: EngineFollower, store: LocalStore): Promise<boolean> {
    for (;;) {
      try {
        await follower.catchUp()
        store.keepFor(KEEPER)
        return true
      } catch (error) {
        this.#parts.recorder.note(this.name, `cannot join: ${(error as Error).message}`)
        await new Promise<void>((resolve) => void this.time.later(1000, resolve))
      }
    }
  }
}

/** Notes what an engine answered. */
function recorded(log: SharedLog, who: string, recorder: Recorder): SharedLog {
  return {
    ...log,
    async append(expected, entries) {
      const { id, hash } = entries.at(-1)!
      const last = { id, hash }
      // Whoever sends it may be dead before it is told.
      recorder.add(who, { kind: 'attempt', last, outcome: 'unknown' })
      const outcome = await log.append(expected, entries)
      recorder.add(who, { kind: 'attempt', last, outcome })
      return outcome
    },
  }
}

/** Notes what writers were told. */
function acknowledging(writer: StoreWriter, who: string, recorder: Recorder): StoreWriter {
  return {
    ...writer,
    async append(effects, plannedAt) {
      try {
        const at = await writer.append(effects, plannedAt)
        if (effects.length > 0)
          recorder.add(who, { kind: 'acknowledged', plannedAt: plannedAt.id, at, effects })
        return at
      } catch (error) {
        if (!isConflict(error)) recorder.note(who, `append at ${plannedAt.id}: ${(error as Error).message}`)
        throw error
      }
    },
  }
}
