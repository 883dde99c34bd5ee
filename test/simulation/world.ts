/**
 * A small world out of a seed: an engine or none, control planes, edges, people who publish, clients who read, and trouble of all kinds; then
 * everything is healed, and has to come together.
 *
 * All of it is the program's own code, but for the network, the workers' sandboxes and the engine behind its contract.
 */
import { EdgeError } from '../../src/base/errors.ts'
import type { FeedSource } from '../../src/contract/replication.ts'
import type { SharedLog } from '../../src/contract/shared-log.ts'
import type { Effect, LocalStore, StoreView } from '../../src/contract/store.ts'
import { DEFAULT_MANIFEST, PHASE_BITS } from '../../src/contract/unit.ts'
import type { ControlTransport } from '../../src/replication/control-transport.ts'
import type { FollowedLog } from '../../src/replication/feed-taker.ts'
import { appendPlanned } from '../../src/replication/store-writer.ts'
import { embeddedLog } from '../../src/store/engines/embedded.ts'
import { planDeploy } from '../../src/unit/changes.ts'
import { listPointers, readRecord, recordKey } from '../../src/unit/records.ts'
import { seededRandom, type Random } from '../../src/wire/http1/fuzz/random.ts'
import type { Disk, Disks } from './disks.ts'
import { Recorder } from './history.ts'
import { Network, NO_FAULTS } from './network.ts'
import { SimulatedControl } from './simulated-control.ts'
import { SimulatedEdge } from './simulated-edge.ts'
import { SimulatedEngine, Tape } from './simulated-engine.ts'
import { OPEN_BOX } from './simulated-node.ts'
import { VirtualTime } from './virtual-time.ts'

/** Parts that break the rules, to see whether that is found. */
export interface Faulty {
  readonly log?: (log: SharedLog, store: LocalStore) => SharedLog
  readonly source?: (source: FeedSource, store: LocalStore) => FeedSource
  readonly replica?: (log: FollowedLog, store: LocalStore) => FollowedLog
  /** An engine whose servers copy from each other later, and fail. */
  readonly losesWrites?: boolean
}

type Node = SimulatedControl | SimulatedEdge

interface Place {
  readonly name: string
  disk: Disk
  liveBefore: number | undefined
  /** Undefined while nothing runs there. */
  node: Node | undefined
  readonly start: (disk: Disk) => Node
}

/** The name of every log: that of another seed is the same, and its history is not. */
const LOG = 'simulated'
const UNITS = ['a', 'b', 'c']
const ANSWER_MAX_MS = 10_000
const HOUR_MS = 3_600_000

export class World {
  readonly time = new VirtualTime()
  readonly random: Random
  readonly recorder = new Recorder(() => this.time.monotonic())
  readonly network: Network
  readonly isShared: boolean
  readonly #disks: Disks
  readonly #faulty: Faulty
  readonly #engine: SimulatedEngine | undefined
  readonly #tape: Tape
  readonly #controls: Place[] = []
  readonly #edges: Place[] = []
  readonly #killed = new Set<string>()
  #isTroubled = true
  #isQuiet = false
  /** What readers saw that no log is needed for. */
  problem: string | undefined

  constructor(seed: number, disks: Disks, faulty: Faulty = {}) {
    this.random = seededRandom(seed)
    this.#disks = disks
    this.#faulty = faulty
    this.network = new Network(this.time, this.random)
    this.isShared = this.random.chance(0.6) || faulty.losesWrites === true
    if (this.isShared) this.#engine = new SimulatedEngine(this.network, disks.take(LOG))
    this.#tape = this.#engine?.tape ?? new Tape()
    const controls = this.isShared ? ['c0', 'c1'] : ['c0']
    const edges = ['e0', 'e1', 'e2'].slice(0, 1 + this.random.below(3))
    for (const name of controls) this.#controls.push(this.#place(name, (disk) => this.#control(name, disk)))
    for (const name of edges) this.#edges.push(this.#place(name, (disk) => this.#edge(name, disk, controls)))
  }

  /** A control plane tries before it stores: one that was killed in between runs what it finds. */
  mayRunUntried(name: string): boolean {
    return this.#killed.has(name) && this.#controls.some((place) => place.name === name)
  }

  /** All entries that were ever appended. */
  get log() {
    return this.#tape.entries
  }

  /** Trouble for so long, then peace, in which people go on, and then quiet, in which all comes together. */
  async run(troubleMs: number, peaceMs: number, quietMs: number): Promise<void> {
    const { random } = this
    const share = (most: number) => (random.chance(0.5) ? (random.below(1000) / 1000) * most : 0)
    this.network.faults = {
      request: share(0.15),
      twice: share(0.1),
      cut: share(0.1),
      silence: share(0.03),
      slow: share(0.05),
    }
    for (const place of this.#places) place.node = place.start(place.disk)
    this.#again(20, 60, () => this.#read())
    this.#again(300, 2500, () => this.#isQuiet || void this.#publish())
    this.#again(200, 1500, () => this.#isQuiet || void this.#count())
    this.#troubleAgain(2000, 9000, () => this.#kill(random.pick(this.#places)))
    this.#troubleAgain(700, 3000, () => this.#hurtWorker())
    this.#troubleAgain(3000, 12000, () => this.#part())
    this.#troubleAgain(2000, 15000, () => this.#trim())
    this.#troubleAgain(4000, 20000, () => this.#suspend())
    if (this.#faulty.losesWrites) this.#again(3000, 9000, () => this.#isTroubled && this.#lose())
    await this.time.run(troubleMs)
    this.recorder.note('world', 'peace')
    this.#isTroubled = false
    this.network.faults = NO_FAULTS
    this.network.join()
    for (const place of this.#places) if (!place.node) this.#start(place)
    await this.time.run(troubleMs + peaceMs)
    this.#isQuiet = true
    await this.time.run(troubleMs + peaceMs + quietMs)
    for (const place of this.#places) this.#end(place)
  }

  /** Ends all, and gives the disks back. */
  close(): void {
    for (const { node, disk } of this.#places) {
      node?.kill()
      this.#disks.giveBack(disk)
    }
    if (this.#engine) this.#disks.giveBack(this.#engine.disk)
  }

  get #places(): readonly Place[] {
    return [...this.#controls, ...this.#edges]
  }

  #place(name: string, start: (disk: Disk) => Node): Place {
    return { name, disk: this.#disks.take(`new-${name}`), liveBefore: undefined, node: undefined, start }
  }

  #skewMs(): number {
    return this.random.chance(0.3) ? (this.random.below(9) - 4) * HOUR_MS : 0
  }

  #control(name: string, disk: Disk): SimulatedControl {
    const log = (store: LocalStore) =>
      this.#engine?.log(name) ?? embeddedLog(store, () => this.#tape.take(store))
    const { log: broken, source = (same) => same } = this.#faulty
    return new SimulatedControl({
      ...this,
      name,
      disk,
      skewMs: this.#skewMs(),
      log: (store) => broken?.(log(store), store) ?? log(store),
      source: (whole) => source(whole, disk.store),
    })
  }

  #edge(name: string, disk: Disk, controls: readonly string[]): SimulatedEdge {
    const { replica = (same) => same } = this.#faulty
    const controlAt = (place: string): SimulatedControl => {
      const control = this.#controls.find((one) => one.name === place)!.node as SimulatedControl | undefined
      if (!control) throw new EdgeError('control-unreachable', `${place} is not there`)
      return control
    }
    const { network } = this
    const transport: ControlTransport = {
      follow: (control, hello) => network.open(name, control, () => controlAt(control).follow(hello)),
      ask: (control, _method, path, body) => {
        const sent = JSON.stringify(body ?? null)
        const serve = async () => controlAt(control).ask(path, JSON.parse(sent))
        return network.request(name, control, serve, ANSWER_MAX_MS)
      },
      close: () => {},
    }
    return new SimulatedEdge({
      ...this,
      name,
      disk,
      skewMs: this.#skewMs(),
      liveBefore: this.#edges.find((place) => place.name === name)?.liveBefore,
      controls,
      transport,
      replica: (whole) => replica(whole, disk.store),
    })
  }

  /** Does it again and again, after times of chance. */
  #again(leastMs: number, mostMs: number, work: () => void): void {
    // There is less to be seen in peace.
    const times = this.#isTroubled ? 1 : 3
    this.time.later(times * (leastMs + this.random.below(mostMs - leastMs)), () => {
      work()
      this.#again(leastMs, mostMs, work)
    })
  }

  #troubleAgain(leastMs: number, mostMs: number, work: () => void): void {
    if (this.random.chance(0.3)) return
    this.#again(leastMs, mostMs, () => this.#isTroubled && work())
  }

  #read(): void {
    const { name, node } = this.random.pick(this.#places)
    try {
      const seen = node?.serving?.read()
      if (seen) this.recorder.add(name, { kind: 'read', at: seen.position, content: seen.content })
    } catch (error) {
      this.problem ??= (error as Error).message
      this.recorder.note(name, (error as Error).message)
    }
  }

  async #publish(): Promise<void> {
    const { random, recorder } = this
    const control = random.pick(this.#controls).node as SimulatedControl | undefined
    if (!control?.changes || !control.plane) return
    const { name: who, changes, plane, disk } = control
    const name = random.pick(this.#isTroubled ? UNITS : this.#unmended(disk.store))
    const code = this.#isTroubled && random.chance(0.2) ? `refuse ${random.pick(this.#picky)}` : 'run'
    const draft = {
      name,
      code,
      sourceMap: '',
      files: {},
      entry: 'unit.ts',
      phases: PHASE_BITS.access,
      manifest: DEFAULT_MANIFEST,
    }
    const known = new Set(plane.edges().map((edge) => edge.name))
    const wait = random.pick(['stored', 'edges', 'all'] as const)
    const onTimeout = random.pick(['keep', 'withdraw'] as const)
    const plan = () => planDeploy(disk.store, draft, { secrets: OPEN_BOX, at: control.time.now() })
    try {
      const { version } = await changes.make(
        { name, plan },
        { wait, onTimeout, timeoutMs: 500 + random.below(20_000) },
      )
      recorder.note(who, `${name}@${version} (${code}) is ${wait}`)
      const id = this.#idOf(recordKey(name, version))
      if (wait === 'stored' || id === undefined) return
      const edges = plane.edges().filter((edge) => edge.presence !== 'stopped' && known.has(edge.name))
      const nodes = wait === 'all' ? [who, ...edges.map((edge) => edge.name)] : [who]
      recorder.add(who, { kind: 'published', id, nodes })
    } catch (error) {
      recorder.note(who, `${name} (${code}): ${(error as Error).message}`)
    }
  }

  /** Nodes that may refuse a unit. Where control planes share a log, what one of them cannot run keeps it from all changes until another mends it. */
  get #picky(): readonly string[] {
    return (this.isShared ? this.#edges : this.#places).map(({ name }) => name)
  }

  /** Units that somebody refuses; all, where there are none: people put right what they broke. */
  #unmended(store: StoreView): readonly string[] {
    const bad = listPointers(store).filter(
      ([name, { live }]) => readRecord(store, name, live)?.code !== 'run',
    )
    return bad.length > 0 ? bad.map(([name]) => name) : UNITS
  }

  /** Where the write of that key that was acknowledged last ends. */
  #idOf(key: string): number | undefined {
    const found = this.recorder.events.findLast(
      ({ event }) => event.kind === 'acknowledged' && event.effects.some((effect) => effect.key === key),
    )
    return found?.event.kind === 'acknowledged' ? found.event.at.id : undefined
  }

  /** A write of several keys that reads what it changes. */
  async #count(): Promise<void> {
    const { random, recorder } = this
    const control = random.pick(this.#controls).node as SimulatedControl | undefined
    if (!control?.writer) return
    const { store } = control.disk
    const keys = Array.from({ length: 1 + random.below(12) }, (_, index) => `count/${index}`)
    const plan = () =>
      keys.map((key): Effect => {
        const value = Number(store.get(key) ?? 0)
        if (value > 0 && value % 5 === 0) return { operation: 'DELETE', key }
        return { operation: 'SET', key, value: String(value + 1) }
      })
    await appendPlanned(store, control.writer, plan).catch((error: Error) =>
      recorder.note(control.name, `count: ${error.message}`),
    )
  }

  #kill(place: Place): void {
    if (!place.node) return
    this.recorder.note(place.name, 'is killed')
    place.liveBefore = place.node.serving?.following.position.id ?? place.liveBefore
    place.node.kill()
    place.node = undefined
    this.#killed.add(place.name)
    place.disk = this.#disks.killed(place.disk)
    this.time.later(100 + this.random.below(8000), () => {
      if (!place.node) this.#start(place)
    })
  }

  #start(place: Place): void {
    this.recorder.note(place.name, `starts at ${place.disk.store.position().id}`)
    place.node = place.start(place.disk)
  }

  #hurtWorker(): void {
    const place = this.random.pick(this.#places)
    const { name, node } = place
    const ready = node?.serving?.pool.ready() ?? []
    if (ready.length === 0) return
    const worker = this.random.pick(ready)
    const isHung = this.random.chance(0.2)
    this.recorder.note(name, `worker ${worker.index} ${isHung ? 'hangs' : 'dies'}`)
    if (!isHung) return worker.kill()
    worker.hang()
    // That is what the pulse is for.
    this.time.later(10_000, () => {
      if (place.node === node) worker.kill()
    })
  }

  #part(): void {
    const names = [...this.#places.map(({ name }) => name), 'engine']
    const [a, b] = [this.random.pick(names), this.random.pick(names)]
    this.recorder.note('world', `${a} and ${b} do not reach each other`)
    this.network.part(a, b)
    this.time.later(500 + this.random.below(30_000), () => this.network.join())
  }

  #trim(): void {
    const keep = 60 + this.random.below(100)
    const store = this.#engine?.disk.store ?? this.#controls[0]!.disk.store
    store.rotate(Math.max(0, store.position().id - keep))
    this.recorder.note('world', `the log lets go of what is before ${store.base().id}`)
  }

  #lose(): void {
    const entries = 1 + this.random.below(20)
    this.recorder.note('world', `the engine loses ${entries} entries`)
    this.#engine?.lose(entries)
  }

  #suspend(): void {
    const { node, name } = this.random.pick(this.#edges)
    const edge = node as SimulatedEdge | undefined
    if (!edge) return
    edge.suspend()
    const forMs = this.random.pick([0, 5, 3000])
    this.recorder.note(name, `is suspended for ${forMs} ms`)
    this.time.later(forMs, () => edge.resume())
  }

  #end({ name, node, disk }: Place): void {
    const { position: at, entries: state } = disk.store.snapshot()
    const live = node?.serving?.following.position.id ?? 0
    this.recorder.add(name, { kind: 'ended', at, state, live })
    const verdict = disk.store.verify()
    if (!verdict.ok) this.problem ??= `${name}: entry ${verdict.id} ${verdict.problem}`
  }
}
