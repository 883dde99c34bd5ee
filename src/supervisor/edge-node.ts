/**
 * The parts of a running node and how they are wired: what a worker says goes to whom it concerns, what the control plane
 * asks becomes changes, and what everybody counts becomes one page of metrics.
 */
import { join } from 'node:path'
import { systemTimers } from '../base/timers.ts'
import type { Config } from '../config/schema.ts'
import { EdgeError } from '../base/errors.ts'
import { within } from '../base/within.ts'
import type { UnitSet } from '../contract/messages.ts'
import type { ChangeOptions, ControlledNode } from '../control/node.ts'
import type { ChangeResult } from '../control/shapes.ts'
import type { ApplyKv } from './handover/messages.ts'
import type { Successor } from './handover/successor.ts'
import { SiteReader } from '../site/records.ts'
import { readBreakers } from './breakers.ts'
import { Epochs } from './workers/epochs.ts'
import { LiveView } from './replication/live-view.ts'
import { nodeLogKeeper } from './store/log-keeper.ts'
import type { KvService } from './kv-service.ts'
import { UnitTimers } from './unit-timers.ts'
import { UnitLimitRegions } from './limits/unit-limits.ts'
import { LocalHealth } from './rollouts/local-health.ts'
import { MetricSums } from './metrics/metric-sums.ts'
import { certificateControl } from './certificates/certificate-control.ts'
import { NodeCertificates } from './certificates/node-certificates.ts'
import { nodeControl } from './node-control.ts'
import type { NodeSurroundings } from './node-surroundings.ts'
import { nodeEdges, selfStatus } from './replication/node-edges.ts'
import { NodeMetrics } from './metrics/node-metrics.ts'
import { NodeScrape } from './metrics/node-scrape.ts'
import { Pulse } from './workers/pulse.ts'
import { Quarantines } from './workers/quarantine.ts'
import { NodePurging } from './purging/node-purging.ts'
import { NodeBanning } from './bans/node-banning.ts'
import { ReplicationMetrics } from './replication/replication-metrics.ts'
import { SandboxWatch } from './workers/sandbox-watch.ts'
import { SetReader } from './replication/set-reader.ts'
import { SiteControl } from './site-control.ts'
import { SourceKeeper } from './source-keeper.ts'
import { StoreFollowing } from './replication/store-following.ts'
import { TailHub } from './tail-hub.ts'
import { TelemetryKeeper } from './telemetry-keeper.ts'
import { TrustedKeys } from './trusted-keys.ts'
import { Turns } from './turns.ts'
import { UnitTrials } from './changes/unit-trials.ts'
import { UnitChanges, type ChangeRequest } from './changes/unit-changes.ts'
import { WorkerPool } from './workers/worker-pool.ts'
import { WorkerTalk } from './workers/worker-talk.ts'

/** Answers of workers that a scrape waits for; a slower worker is shown as it was last. */
const SCRAPE_MAX_MS = 500
/** How long a drain waits for a change that is under way. */
const CHANGE_GRACE_MS = 2_000
/** How long a control plane is told that this edge ends. */
const LEAVE_MAX_MS = 2_000
/** What workers get to end beyond what they give their requests. */
const DRAIN_GRACE_MS = 5_000

export class EdgeNode {
  readonly control: ControlledNode
  readonly banning: NodeBanning
  readonly #around: NodeSurroundings
  readonly #pool: WorkerPool
  readonly #epochs: Epochs
  readonly #quarantines: Quarantines
  readonly #kv: KvService
  readonly #timers: UnitTimers
  readonly #tailHub = new TailHub((on) => this.#pool.broadcast({ kind: 'tail', on }))
  readonly #turns = new Turns()
  readonly #sums = new MetricSums()
  readonly #own = new NodeMetrics()
  readonly #changes: UnitChanges
  readonly #sites: SiteControl
  readonly #following: StoreFollowing
  readonly #trials: UnitTrials
  readonly #sandboxes: SandboxWatch
  readonly #pulse: Pulse
  readonly #certificates: NodeCertificates
  readonly #telemetry: TelemetryKeeper
  readonly #sources: SourceKeeper
  readonly #scrape: NodeScrape
  readonly #health: LocalHealth
  readonly #purging: NodePurging
  /** What only one program of a node does: begun with it, and again after a handover that came to nothing. */
  readonly #keepers: readonly { start(): void; stop(): void }[]
  #isDraining = false
  #isHandingOver = false

  constructor(around: NodeSurroundings) {
    const { config, log, store, directory, shared, secrets, link } = around
    const view = new LiveView(store, directory, log, link.follows !== undefined)
    const trustedKeys = new TrustedKeys(store, config.control.units)
    const fresh = () => this.#pulse.take(SCRAPE_MAX_MS)
    const samples = async () => (await fresh(), this.#scrape.samples())
    this.#telemetry = new TelemetryKeeper({
      ...around,
      samples,
      onChange: (settings) => this.#pool.broadcast({ kind: 'telemetry', settings }),
    })
    this.#certificates = new NodeCertificates({
      ...around,
      turns: this.#turns,
      ticketKeys: around.before?.ticketKeys ?? [],
      useTls: async (tls) => this.#pool?.useTls(tls),
    })
    this.#kv = around.kv
    this.#sources = new SourceKeeper({ ...around, node: () => this.control })
    const keepers = [...this.#certificates.followers, this.#telemetry, this.#kv, this.#sources]
    const changing = {
      pool: () => this.#pool,
      onApplied: () => this.#report(),
      assertTakesChanges: () => this.#assertTakesChanges(),
    }
    this.banning = new NodeBanning({ ...around, ...changing })
    const sites = (this.#sites = new SiteControl({
      ...around,
      followers: [...keepers, trustedKeys, around.rootToken, this.banning],
      writer: link.writer,
      isEdge: link.follows !== undefined,
      reader: new SiteReader(view),
      make: (request, options) => this.#make(request, options),
    }))
    const unitLimits = new UnitLimitRegions(around.limits)
    const reader = new SetReader({
      view,
      continues: (from) => store.entriesAfter(from, 1) !== 'reset',
      secrets,
      checkSignature: trustedKeys.check,
      log,
      served: (units) => unitLimits.with(sites.served(), units),
      liveEpoch: () => this.#epochs?.live.epoch,
    })
    const readSet = () => reader.read()
    this.#around = around
    this.#timers = new UnitTimers({
      node: { name: config.node.name ?? '', groups: config.node.groups },
      clock: around.clock,
      ready: () => this.#pool.ready(),
    })
    const logKeeper = nodeLogKeeper(around, () => this.#following.position.id)
    this.#quarantines = new Quarantines(join(directory, 'quarantine.json'), log)
    this.#sandboxes = new SandboxWatch(config.edge.sandboxMemory, log)
    this.#health = new LocalHealth({
      ...around,
      sums: this.#sums,
      quarantines: this.#quarantines,
      refresh: fresh,
    })
    this.#purging = new NodePurging({ ...around, ...changing, tier: around.disks })
    const talk = new WorkerTalk({
      ...around,
      purging: this.#purging,
      banning: this.banning,
      config: () => sites.config,
      tls: this.#certificates.tls,
      telemetry: this.#telemetry,
      epochs: () => this.#epochs,
      quarantines: this.#quarantines,
      kv: this.#kv,
      tailHub: this.#tailHub,
      timers: this.#timers,
      sandboxes: this.#sandboxes,
      own: this.#own,
      health: this.#health,
      sums: this.#sums,
      shareQuarantine: () => this.#shareQuarantine(),
    })
    this.#pool = new WorkerPool({
      count: config.edge.workers,
      ...(around.workerEntry !== undefined && { entry: around.workerEntry }),
      sockets: around.sockets,
      ...(around.poolTime && { time: around.poolTime }),
      turns: this.#turns,
      log,
      startMessage: (worker) => talk.startMessage(worker),
      onReady: (worker) => {
        talk.welcome(worker)
        this.#following.advanced()
      },
      onMessage: (worker, message) => talk.hear(worker, message),
      onGone: (worker) => talk.farewell(worker),
    })
    const onFlip = (live: UnitSet) => {
      this.#timers.setLive(live)
      this.#certificates.useSites(sites.served().sites)
      around.disks.use(sites.served())
      around.limits.keep(live)
      this.#following.flipped(reader.positionOf(live))
      this.#report()
    }
    const onPrepared = (next: UnitSet) => view.accepted(reader.positionOf(next))
    this.#epochs = new Epochs(shared.words, this.#pool, readSet(), onFlip, onPrepared)
    this.#pulse = new Pulse(this.#pool, this.#sums, log)
    const replication = new ReplicationMetrics({ ...around, following: () => this.#following })
    const counting = [this.#kv, around.disks, this.#timers, this.#telemetry]
    this.#scrape = new NodeScrape({
      ...around,
      pool: this.#pool,
      epochs: this.#epochs,
      quarantines: this.#quarantines,
      sandboxes: this.#sandboxes,
      own: this.#own,
      sums: this.#sums,
      others: [...counting, this.#certificates.tls, replication, this.#purging.here, this.banning],
      isDraining: () => this.#isDraining,
    })
    const trials = (this.#trials = new UnitTrials(this.#pool))
    this.#following = new StoreFollowing({
      live: view,
      readSet,
      epochs: this.#epochs,
      turns: this.#turns,
      log,
      workers: () => this.#pool.ready(),
      useCertificates: () => this.#certificates.refresh(),
      tryUnit: (unit) => trials.problemOf(unit),
      onTried: () => this.#report(),
    })
    const edges = nodeEdges({
      ...around,
      kv: around.kv.ports,
      self: () =>
        selfStatus({ ...around, pool: this.#pool, epochs: this.#epochs, following: this.#following }),
    })
    this.#changes = new UnitChanges({
      ...around,
      writer: link.writer,
      trials,
      edges: edges.waiting,
      readSet() {
        // What an edge changes by itself, such as its configuration, goes on what is live there.
        if (link.follows === undefined) view.useNewest()
        return readSet()
      },
      pool: this.#pool,
      epochs: this.#epochs,
      turns: this.#turns,
      timers: systemTimers,
      onEnd: (ok, ms) => this.#own.countChange(ok, ms),
    })
    const { control, keepers: ofRollouts } = nodeControl({
      ...around,
      pool: this.#pool,
      epochs: this.#epochs,
      quarantines: this.#quarantines,
      kv: this.#kv,
      tailHub: this.#tailHub,
      make: (request, options) => this.#make(request, options),
      inTurn: (work) => this.#changes.inTurn(() => (this.#assertTakesChanges(), work())),
      sites,
      sources: () => this.#sources.states(),
      edges,
      certificates: certificateControl({
        ...around,
        stored: this.#certificates.stored,
        edges: edges.waiting,
        workers: () => ({ workers: this.#pool.ready().length, of: this.#pool.size }),
        write: (plan) => (this.#assertTakesChanges(), this.#certificates.write(plan)),
      }),
      writer: link.writer,
      checkSignature: trustedKeys.check,
      shareQuarantine: () => this.#shareQuarantine(),
      breakers: async () => (await fresh(), readBreakers(this.#sums.total())),
      samples,
      isDraining: () => this.#isDraining,
      health: this.#health,
      report: () => this.#report(),
      purge: this.#purging.ask,
      bans: this.banning.control,
    })
    this.control = control
    const others = [around.edgeStates.keeper(this.#pool), logKeeper, this.banning, ...ofRollouts]
    this.#keepers = [this.#timers, this.#certificates, this.#sources, ...others]
  }

  async #make(request: ChangeRequest, options: ChangeOptions): Promise<ChangeResult> {
    this.#assertTakesChanges()
    return this.#changes.make(request, options)
  }

  #assertTakesChanges(): void {
    if (this.#isDraining) throw new EdgeError('draining', 'the node is shutting down, and takes no changes')
    if (this.#isHandingOver) throw new EdgeError('upgrading', 'another program takes over')
  }

  /** Tells the control plane what runs here. */
  #report(): void {
    const { epoch, enabled } = this.#epochs.live
    const { position: live, rejected } = this.#following
    const workers = { live: this.#pool.ready().length, of: this.#pool.size }
    const rollouts = this.#health.latest
    const purged = this.banning.behind(this.#purging.here.state)
    this.#around.link.report({ live, epoch, enabled, workers, rejected, rollouts, purged })
  }

  /** The store has moved, by whomever. */
  storeMoved(): void {
    this.banning.advanced()
    this.#purging.here.advanced()
    this.#following.advanced()
  }

  async start(): Promise<void> {
    this.#around.disks.start(this.#sites.served())
    await Promise.all([this.#certificates.prepare(this.#sites.served().sites), this.#purging.here.start()])
    await this.#pool.start()
    this.#pulse.start()
    this.#sandboxes.start()
    this.#telemetry.start()
    for (const keeper of this.#keepers) keeper.start()
    this.#timers.setLive(this.#epochs.live)
    this.#around.link.start(() => this.storeMoved())
    if (this.#around.link.follows !== undefined) void this.#trials.warm()
    // What was stored and not tried before this program began.
    this.storeMoved()
    this.#report()
  }

  /** As it was applied last. */
  get config(): Config {
    return this.#sites.config
  }

  get ticketKeys(): readonly Uint8Array[] {
    return this.#certificates.tls.ticketKeys
  }

  /** Makes changes of key/value data for workers of a program before. */
  readonly applyKv: ApplyKv = (changes, onDone) => this.#kv.apply(changes, onDone)

  /** Stops everything that only one program may do. Requests are served on. */
  async suspend(): Promise<void> {
    this.#isHandingOver = true
    for (const keeper of this.#keepers) keeper.stop()
    await this.#turns.over(CHANGE_GRACE_MS)
    this.#around.link.suspend()
    this.#kv.suspend()
    await this.#around.disks.close()
    this.#quarantines.suspend()
    this.#sites.suspend()
    this.#around.store.suspend()
  }

  /** Takes it up again: the other program did not come. Throws while that one holds the store. */
  async resume(): Promise<void> {
    this.#around.store.resume()
    await this.#sites.resume()
    this.#kv.resume()
    this.#around.disks.start(this.#sites.served())
    this.#around.link.resume()
    this.#quarantines.resume()
    for (const keeper of this.#keepers) keeper.start()
    this.#isHandingOver = false
    // What the other program had taken into the store.
    this.storeMoved()
  }

  /** The other program purges and bans for our workers, and changes key/value data: units wait for no more than it takes to open the files. */
  entrust(successor: Successor): void {
    this.#kv.sendTo(successor.kv)
    successor.relayPurges = (purges) => this.#purging.here.relay(purges)
    successor.relayBans = (change) => this.banning.relay(change)
  }

  /** The other program serves: its workers take what is new, ours finish. */
  async leave(): Promise<void> {
    this.#kv.leave()
    await this.drain()
  }

  /** Changes are refused from here on; one under way is finished first, as it needs its workers. */
  async drain(): Promise<void> {
    this.#isDraining = true
    // An edge whose program is replaced goes on.
    const left = this.#isHandingOver ? undefined : this.#around.link.leave()
    for (const keeper of this.#keepers) keeper.stop()
    await this.#turns.over(CHANGE_GRACE_MS)
    await this.#pool.drain(this.#sites.served().limits.drain + DRAIN_GRACE_MS)
    if (left) await within(LEAVE_MAX_MS, left)
    await Promise.all([this.#telemetry.close(), this.#around.disks.close()])
  }

  /** Access logs were moved away. */
  readonly reopenLogs = (): void => this.#pool.broadcast({ kind: 'reopen' })

  async kill(): Promise<void> {
    this.#isDraining = true
    for (const keeper of this.#keepers) keeper.stop()
    this.banning.end()
    this.#pulse.stop()
    this.#sandboxes.stop()
    this.#telemetry.stop()
    await Promise.all([this.#pool.kill(), this.#around.disks.close()])
  }

  #shareQuarantine(): void {
    this.#pool.broadcast({ kind: 'quarantine', quarantined: this.#quarantines.all() })
  }
}
