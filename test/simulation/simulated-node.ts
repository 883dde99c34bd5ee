/** What a control plane and an edge have in common: a store, a set that is live, workers, and changes of others that are put live. */
import type { Timers } from '../../src/base/timers.ts'
import type { Clock } from '../../src/base/clock.ts'
import type { UnitSet } from '../../src/contract/messages.ts'
import type { SecretBox } from '../../src/contract/secrets.ts'
import { versionKey } from '../../src/contract/unit.ts'
import type { Position } from '../../src/contract/store.ts'
import { EPOCH_WORD, Epochs } from '../../src/supervisor/workers/epochs.ts'
import { LiveView } from '../../src/supervisor/replication/live-view.ts'
import { SetReader } from '../../src/supervisor/replication/set-reader.ts'
import { StoreFollowing } from '../../src/supervisor/replication/store-following.ts'
import { Turns } from '../../src/supervisor/turns.ts'
import { UnitTrials } from '../../src/supervisor/changes/unit-trials.ts'
import type { Random } from '../../src/wire/http1/fuzz/random.ts'
import type { Disk } from './disks.ts'
import type { Recorder } from './history.ts'
import type { Network } from './network.ts'
import { SimulatedPool } from './simulated-workers.ts'

export interface Surroundings {
  readonly network: Network
  readonly random: Random
  readonly recorder: Recorder
}

/** The units of a simulation have no secrets. */
export const OPEN_BOX: SecretBox = { seal: (text) => text, open: (sealed) => sealed }

/** The time of a process: what it meant to do later is not done once it is dead. Its clock may be wrong by hours. */
export class ProcessTime implements Timers, Clock {
  readonly #network: Network
  readonly #skewMs: number
  #isDead = false

  constructor(network: Network, skewMs: number) {
    this.#network = network
    this.#skewMs = skewMs
  }

  now(): number {
    return this.#network.time.now() + this.#skewMs
  }

  monotonic(): number {
    return this.#network.time.monotonic()
  }

  later(ms: number, work: () => void): () => void {
    return this.#network.time.later(ms, () => {
      if (!this.#isDead) work()
    })
  }

  end(): void {
    this.#isDead = true
  }
}

/** The part of a node that serves. */
export class ServingNode {
  readonly pool: SimulatedPool
  readonly epochs: Epochs
  readonly turns = new Turns()
  readonly trials: UnitTrials
  readonly following: StoreFollowing
  readonly readSet: () => UnitSet
  /** For changes that are made here. */
  readonly readNewest: () => UnitSet
  readonly #name: string
  readonly #random: Random
  readonly #words = new Int32Array(1)
  readonly #positions = new Map<number, Position>()
  isServing = false

  constructor(
    name: string,
    { network, random, recorder }: Surroundings,
    { store, directory }: Disk,
    time: ProcessTime,
    isEdge: boolean,
    onChanged: () => void,
  ) {
    this.#name = name
    this.#random = random
    const tell = (line: string) => recorder.note(name, line)
    const log = { info: tell, warn: tell }
    const view = new LiveView(store, directory, log, isEdge)
    const reader = new SetReader({
      view,
      continues: (from) => store.entriesAfter(from, 1) !== 'reset',
      secrets: OPEN_BOX,
      checkSignature: () => {},
      served: () => undefined as never,
      log,
      liveEpoch: () => this.epochs?.live.epoch,
    })
    this.readSet = () => {
      const set = reader.read()
      this.#positions.set(set.epoch, reader.positionOf(set))
      return set
    }
    this.readNewest = () => {
      view.useNewest()
      return this.readSet()
    }
    this.pool = new SimulatedPool({
      node: name,
      count: 1 + random.below(3),
      timers: time,
      random: network.random,
      turns: this.turns,
      words: this.#words,
      onReady: () => this.following.advanced(),
      live: () => this.epochs.live,
    })
    this.epochs = new Epochs(this.#words, this.pool, this.readSet(), (live) => {
      recorder.note(name, `flipped to epoch ${live.epoch}`)
      // All that prepared it died over it, or beside it: those that come after begin with it.
      if (!this.pool.wasPrepared(live.epoch))
        recorder.add(name, { kind: 'took', took: live.units.map(versionKey) })
      this.following.flipped(reader.positionOf(live))
      onChanged()
    })
    this.trials = new UnitTrials(this.pool)
    this.following = new StoreFollowing({
      live: view,
      readSet: this.readSet,
      epochs: this.epochs,
      turns: this.turns,
      log,
      workers: () => this.pool.ready(),
      // A simulation has none.
      useCertificates: () => Promise.resolve(),
      tryUnit: (unit) =>
        this.trials.try(unit).then(
          () => undefined,
          (error: Error) => error.message,
        ),
      onTried: onChanged,
    })
  }

  async start(): Promise<void> {
    await this.pool.start()
    this.isServing = true
  }

  /** A request at a worker of chance; undefined where none is ready. */
  read(): { readonly position: Position; readonly content: Readonly<Record<string, number>> } | undefined {
    const ready = this.pool.ready()
    if (!this.isServing || ready.length === 0) return undefined
    const answers = ready.map((worker) => worker.serve())
    const { epoch, content } = this.#random.pick(answers)
    const text = JSON.stringify(content)
    const other = answers.find((answer) => answer.epoch !== epoch || JSON.stringify(answer.content) !== text)
    const word = Atomics.load(this.#words, EPOCH_WORD)
    if (other || epoch !== word) {
      throw new Error(
        `${this.#name}: its workers run epochs ${answers.map((answer) => answer.epoch).join(', ')}, and the node is at ${word}`,
      )
    }
    return { position: this.#positions.get(epoch)!, content }
  }
}
