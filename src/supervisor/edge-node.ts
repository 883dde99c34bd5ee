/**
 * The parts of a running node and how they are wired: what a worker says goes to whom it concerns, what the control plane
 * asks becomes changes, and what everybody counts becomes one page of metrics.
 */
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Clock } from '../base/clock.ts'
import type { SharedWords } from '../base/shared-words.ts'
import { VERSION } from '../base/version.ts'
import type { Config } from '../config/schema.ts'
import { EdgeError } from '../base/errors.ts'
import type { FromWorker, MetricSample, RequestTrace, UnitSet } from '../contract/messages.ts'
import { versionKey } from '../contract/unit.ts'
import type { ChangeOptions, ControlledNode } from '../control/node.ts'
import type { ChangeResult } from '../control/shapes.ts'
import { signatureCheck } from '../unit/signature.ts'
import { SiteReader } from '../site/records.ts'
import type { SqliteStore } from '../store/sqlite-store.ts'
import { readUnits, type SecretBox, type VersionCache } from '../unit/records.ts'
import { AcmeKeeper } from './acme-keeper.ts'
import { readBreakers, type Breakers } from './breakers.ts'
import type { Bundles } from '../sandbox/bundle-files.ts'
import { Epochs } from './epochs.ts'
import type { ConfigFile } from './config-file.ts'
import type { Log } from './log.ts'
import { KvService } from './kv-service.ts'
import { UnitTimers } from './unit-timers.ts'
import { MetricSums } from './metric-sums.ts'
import { nodeControl, unitStates } from './node-control.ts'
import { NodeMetrics } from './node-metrics.ts'
import { ProcessMetrics, type RoleProcess } from './process-metrics.ts'
import { Pulse } from './pulse.ts'
import { Quarantines } from './quarantine.ts'
import { RepeatedLines } from './repeated-lines.ts'
import { SandboxWatch } from './sandbox-watch.ts'
import { SiteControl } from './site-control.ts'
import { storeProblems } from './store-problems.ts'
import { TailHub } from './tail-hub.ts'
import { TlsKeeper } from './tls-keeper.ts'
import { Turns } from './turns.ts'
import type { UnitBuilder } from './unit-builder.ts'
import { UnitChanges, type ChangeRequest } from './unit-changes.ts'
import { WorkerPool, type PoolTime, type StartMessage } from './worker-pool.ts'
import { WORKER_STDOUT, type WorkerProcess } from './worker-process.ts'

export interface NodeSurroundings {
  readonly config: Config
  readonly clock: Clock
  readonly log: Log
  readonly store: SqliteStore
  /** The data directory. */
  readonly directory: string
  readonly shared: SharedWords
  readonly builder: UnitBuilder
  readonly secrets: SecretBox
  readonly file: ConfigFile
  readonly bundles: Bundles
  readonly workerEntry?: string
  readonly poolTime?: PoolTime
  /** Told of every request, where somebody asks for that. */
  readonly onTrace?: (trace: RequestTrace) => void
}

const WORKER_ENTRY = fileURLToPath(new URL('../worker.ts', import.meta.url))

/** Answers of workers that a scrape waits for; a slower worker is shown as it was last. */
const SCRAPE_MAX_MS = 500
/** How long a drain waits for a change that is under way. */
const CHANGE_GRACE_MS = 2_000
/** What workers get to end beyond what they give their requests. */
const DRAIN_GRACE_MS = 5_000

export class EdgeNode {
  readonly control: ControlledNode
  readonly #around: NodeSurroundings
  readonly #pool: WorkerPool
  readonly #epochs: Epochs
  readonly #quarantines: Quarantines
  readonly #kv: KvService
  readonly #timers: UnitTimers
  readonly #tailHub = new TailHub((on) => this.#pool.broadcast({ kind: 'tail', on }))
  readonly #turns = new Turns()
  readonly #lines = new RepeatedLines()
  readonly #sums = new MetricSums()
  readonly #own = new NodeMetrics()
  readonly #processes = new ProcessMetrics()
  readonly #changes: UnitChanges
  readonly #sites: SiteControl
  readonly #sandboxes: SandboxWatch
  readonly #pulse: Pulse
  readonly #tls: TlsKeeper
  readonly #acme: AcmeKeeper
  readonly #identity = randomBytes(8).toString('hex')
  #isDraining = false

  constructor(around: NodeSurroundings) {
    const { config, log, store, directory, shared, secrets } = around
    const cache: VersionCache = new Map()
    const { trustedKeys, requireSignature } = config.control.units
    const checkSignature = signatureCheck(trustedKeys, requireSignature)
    const sites = new SiteControl({
      ...around,
      reader: new SiteReader(store),
      make: (request, options) => this.#make(request, options),
    })
    const readSet = (): UnitSet => ({
      ...readUnits(store, secrets, cache, checkSignature),
      served: sites.served(),
    })
    this.#sites = sites
    this.#around = around
    this.#timers = new UnitTimers({
      node: { name: config.node.name ?? '', groups: config.node.groups },
      clock: around.clock,
      ready: () => this.#pool.ready(),
    })
    this.#kv = new KvService({
      ...around,
      words: shared.words,
      limits: { kv: config.edge.kv, cache: config.edge.unitCache },
    })
    this.#quarantines = new Quarantines(join(directory, 'quarantine.json'), log)
    this.#sandboxes = new SandboxWatch(config.edge.sandboxMemory, log)
    this.#pool = new WorkerPool({
      count: config.edge.workers,
      entry: around.workerEntry ?? WORKER_ENTRY,
      ...(around.poolTime && { time: around.poolTime }),
      turns: this.#turns,
      log,
      startMessage: (worker) => this.#startMessage(worker),
      onReady: (worker) => this.#welcome(worker),
      onMessage: (worker, message) => this.#hear(worker, message),
      onGone: (worker) => {
        this.#sandboxes.workerGone(worker.pid)
        this.#sums.retire(worker.pid)
        this.#timers.workerGone(worker)
      },
    })
    this.#epochs = new Epochs(shared.words, this.#pool, readSet(), (live) => this.#timers.setLive(live))
    this.#tls = new TlsKeeper({
      ...around,
      edge: config.edge,
      onChange: (tls) => this.#pool.broadcast({ kind: 'tls', tls }),
    })
    this.#acme = new AcmeKeeper({
      ...around,
      useCertificates: (certificates) => this.#tls.useAcme(certificates),
      useChallenges: (challenges) => this.#tls.useChallenges(challenges),
    })
    this.#pulse = new Pulse(this.#pool, this.#sums, log)
    const onEnd = (ok: boolean, ms: number) => this.#own.countChange(ok, ms)
    this.#changes = new UnitChanges({
      ...around,
      readSet,
      pool: this.#pool,
      epochs: this.#epochs,
      turns: this.#turns,
      onEnd,
    })
    this.control = nodeControl({
      ...around,
      pool: this.#pool,
      epochs: this.#epochs,
      quarantines: this.#quarantines,
      kv: this.#kv,
      tailHub: this.#tailHub,
      make: (request, options) => this.#make(request, options),
      sites,
      checkSignature,
      shareQuarantine: () => this.#shareQuarantine(),
      breakers: () => this.#breakers(),
      samples: () => this.#samples(),
      isDraining: () => this.#isDraining,
    })
  }

  async #make(request: ChangeRequest, options: ChangeOptions): Promise<ChangeResult> {
    if (this.#isDraining) throw new EdgeError('draining', 'the node is shutting down, and takes no changes')
    return this.#changes.make(request, options)
  }

  get addresses(): readonly string[] {
    return this.#pool.addresses
  }

  async start(): Promise<void> {
    await this.#pool.start()
    this.#pulse.start()
    this.#tls.start()
    this.#acme.start()
    this.#sandboxes.start()
    this.#timers.setLive(this.#epochs.live)
  }

  /** Changes are refused from here on; one under way is finished first, as it needs its workers. */
  async drain(): Promise<void> {
    this.#isDraining = true
    this.#timers.stop()
    this.#tls.stop()
    this.#acme.stop()
    const { promise: late, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, CHANGE_GRACE_MS)
    await Promise.race([this.#turns.take(async () => {}), late])
    clearTimeout(timer)
    await this.#pool.drain(this.#sites.served().limits.drain + DRAIN_GRACE_MS)
  }

  /** Reads the files of certificates anew. A pair that cannot be used leaves the one in force. */
  reloadCertificates(): void {
    this.#tls.reload()
  }

  /** Access logs were moved away. */
  reopenLogs(): void {
    this.#pool.broadcast({ kind: 'reopen' })
  }

  async kill(): Promise<void> {
    this.#isDraining = true
    this.#timers.stop()
    this.#pulse.stop()
    this.#tls.stop()
    this.#acme.stop()
    this.#sandboxes.stop()
    await this.#pool.kill()
    this.#kv.close()
  }

  #startMessage(worker: number): StartMessage {
    const { config, shared, bundles } = this.#around
    return {
      kind: 'start',
      worker,
      // The sites come with the units.
      config: { ...config, sites: [] },
      identity: this.#identity,
      listen: config.edge.listen.map(({ address }) => address),
      tls: this.#tls.material,
      units: this.#epochs.live,
      quarantined: this.#quarantines.all(),
      shared: shared.path,
      bundles,
      kv: this.#kv.paths,
      stdout: WORKER_STDOUT,
      isTracing: this.#around.onTrace !== undefined,
    }
  }

  /** What may have changed while the worker started. */
  #welcome(worker: WorkerProcess): void {
    const tls = this.#tls.material
    if (tls !== undefined) worker.send({ kind: 'tls', tls })
    worker.send({ kind: 'quarantine', quarantined: this.#quarantines.all() })
    worker.send({ kind: 'tail', on: this.#tailHub.isOn })
  }

  #hear(worker: WorkerProcess, message: FromWorker): void {
    switch (message.kind) {
      case 'quarantine':
        if (!this.#quarantines.add(message.quarantine)) return
        this.#around.log.warn(
          `${versionKey(message.quarantine)} is in quarantine: ${message.quarantine.reason}`,
        )
        return this.#shareQuarantine()
      case 'tail':
        this.#own.countTailDropped(message.dropped)
        return this.#tailHub.publish(message.lines, message.dropped)
      case 'log':
        for (const line of message.warnings)
          if (this.#lines.isNews(line, worker.index)) this.#around.log.warn(line)
        if (message.dropped > 0)
          this.#around.log.warn(`${message.dropped} more lines of worker ${worker.index} were left out`)
        return
      case 'trace':
        return this.#around.onTrace?.(message.trace)
      case 'timerRan':
        return this.#timers.ran(worker, message)
      case 'kv': {
        const { store, id } = message.batch
        return this.#kv.apply(message.batch, (results) => worker.send({ kind: 'kv', store, id, results }))
      }
      case 'sandboxes':
        return this.#sandboxes.report(worker.pid, message.pids)
      default: // An answer, to whoever asked.
    }
  }

  #shareQuarantine(): void {
    this.#pool.broadcast({ kind: 'quarantine', quarantined: this.#quarantines.all() })
  }

  async #breakers(): Promise<Breakers> {
    await this.#pulse.take(SCRAPE_MAX_MS)
    return readBreakers(this.#sums.total())
  }

  async #samples(): Promise<readonly MetricSample[]> {
    await this.#pulse.take(SCRAPE_MAX_MS)
    const facts = {
      version: VERSION,
      epoch: this.#epochs.live.epoch,
      position: this.#around.store.position().id,
      isReady: this.control.unready().length === 0,
      isStoreWritable: storeProblems(this.#around.store.path).length === 0,
      states: unitStates(this.#around.store, this.#quarantines),
      quarantined: this.#quarantines.all(),
      workersReady: this.#pool.ready().length,
      restarts: this.#pool.slots.map(({ index, restarts }) => ({ worker: index, count: restarts })),
    }
    return [
      ...this.#own.samples(facts),
      ...this.#processes.samples(this.#processList()),
      ...this.#kv.metrics(),
      ...this.#timers.metrics(),
      ...this.#tls.samples(),
      ...this.#sums.total(),
    ]
  }

  #processList(): RoleProcess[] {
    const checker = this.#around.builder.pid
    return [
      { role: 'supervisor', pid: process.pid },
      ...this.#pool.all().map(({ pid }) => ({ role: 'worker' as const, pid })),
      ...this.#sandboxes.pids().map((pid) => ({ role: 'sandbox' as const, pid })),
      ...(checker === undefined ? [] : [{ role: 'checker' as const, pid: checker }]),
    ]
  }
}
