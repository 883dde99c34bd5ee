/** The node as the admin API sees it: turns what is asked into changes, and what is known into answers. */
import { EdgeError } from '../base/errors.ts'
import type { Clock } from '../base/clock.ts'
import type { Config } from '../config/schema.ts'
import { sourceName } from '../config/source-name.ts'
import type { MetricSample } from '../contract/messages.ts'
import { isUnderWay, type RolloutHealth } from '../contract/rollout.ts'
import type { EdgePlane } from '../replication/edge-plane.ts'
import type { StoreWriter } from '../replication/store-writer.ts'
import type { SqliteStore } from '../store/sqlite-store.ts'
import { PHASE_BITS, PHASES, versionKey, type UnitOrigin } from '../contract/unit.ts'
import type {
  ChangeOptions,
  ControlledNode,
  DeployRequest,
  TailListener,
  UnitReach,
} from '../control/node.ts'
import type {
  ChangeResult,
  UnitDetail,
  UnitSummary,
  UpgradeResult,
  VersionSummary,
} from '../control/shapes.ts'
import type { SourceSummary } from '../control/source-shapes.ts'
import { foreignReason } from '../source/changes.ts'
import {
  planAllEnabled,
  planDeploy,
  planDisabled,
  planEnv,
  planRemove,
  planRollback,
  type PlanContext,
} from '../unit/changes.ts'
import { listPointers, readPointer, readRecord, unitsEnabled, type UnitPointer } from '../unit/records.ts'
import { rotateSecrets, type RotatableBox } from './store/secret-rotation.ts'
import type { CheckSignature } from '../unit/signature.ts'
import { planStart } from '../unit/rollout/changes.ts'
import type { Breakers } from './breakers.ts'
import type { CertificateMethods } from './certificates/certificate-control.ts'
import type { Epochs } from './workers/epochs.ts'
import type { KvService } from './kv-service.ts'
import { askLimitTop, limitNamed, limitSummaries } from './limits/limit-readings.ts'
import type { LimitRegions } from './limits/limit-regions.ts'
import type { Log } from './log.ts'
import { METRIC_HELP } from './metrics/metric-help.ts'
import { formatPrometheus } from './metrics/prometheus.ts'
import { nodeStore } from './store/node-store.ts'
import type { EdgeMethods } from './replication/node-edges.ts'
import { askCaches, askExplanation } from './cache-readings.ts'
import { askSteered } from './dns/steered.ts'
import { askOrigins } from './origin-states.ts'
import type { PacketPlane } from './packet-plane.ts'
import type { Quarantines } from './workers/quarantine.ts'
import { readiness } from './readiness.ts'
import { RolloutController } from './rollouts/rollout-controller.ts'
import { edgeHealth } from './rollouts/edge-health.ts'
import type { AskPurge } from './purging/purge-control.ts'
import type { NodeBanning } from './bans/node-banning.ts'
import type { LocalHealth } from './rollouts/local-health.ts'
import { RolloutReporter } from './rollouts/rollout-reporter.ts'
import { rolloutControl, termsOf } from './rollouts/rollout-control.ts'
import type { SiteControl } from './site-control.ts'
import type { StoreLink } from './replication/store-link.ts'
import type { TailHub } from './tail-hub.ts'
import type { ChangeRequest, Plan } from './changes/unit-changes.ts'
import { barredIn, rolloutOf, unitState } from './changes/unit-states.ts'
import type { BuiltUnit, UnitBuilder } from './changes/unit-builder.ts'
import { envChange, readModule } from './changes/unit-drafts.ts'
import { plannedRecord } from './changes/planned-record.ts'
import type { WorkerPool } from './workers/worker-pool.ts'

/** Answers of workers about their origins, and about their caches, that are waited for. */
const ORIGINS_MAX_MS = 10_000

export interface NodeParts {
  readonly config: Config
  readonly clock: Clock
  readonly store: SqliteStore
  readonly writer: StoreWriter
  readonly link: StoreLink
  readonly secrets: RotatableBox
  readonly builder: UnitBuilder
  readonly make: (request: ChangeRequest, options: ChangeOptions) => Promise<ChangeResult>
  /** When no change is under way. */
  readonly inTurn: <T>(work: () => T | Promise<T>) => Promise<T>
  readonly sites: SiteControl
  readonly edges: EdgeMethods
  readonly sources: () => readonly SourceSummary[]
  readonly certificates: CertificateMethods
  readonly checkSignature: CheckSignature
  readonly pool: WorkerPool
  readonly epochs: Epochs
  readonly quarantines: Quarantines
  readonly kv: KvService
  readonly limits: LimitRegions
  /** Tells all workers what is in quarantine now. */
  readonly shareQuarantine: () => void
  readonly tailHub: TailHub
  /** How versions in rollouts fare here. */
  readonly health: LocalHealth
  readonly plane: EdgePlane | undefined
  /** Tells the control plane that this node follows. */
  readonly report: () => void
  readonly log: Log
  /** Of all workers, asked now. */
  readonly breakers: () => Promise<Breakers>
  /** Of all workers and processes, asked now. */
  readonly samples: () => Promise<readonly MetricSample[]>
  readonly isDraining: () => boolean
  readonly upgrade: () => Promise<UpgradeResult>
  readonly purge: AskPurge
  readonly packet: PacketPlane
  readonly bans: NodeBanning['control']
}

export function nodeControl(parts: NodeParts): {
  readonly control: ControlledNode
  /** What goes on by itself: whoever writes the store judges, an edge tells it what it counted. */
  readonly keepers: readonly (RolloutController | RolloutReporter)[]
} {
  const { store, quarantines, epochs, pool, tailHub, sites } = parts

  const liveReach = (name: string): UnitReach | undefined => {
    const pointer = readPointer(store, name)
    return pointer && readRecord(store, name, pointer.live)?.manifest
  }

  /** Of what may be changed, also what it would become: a deploy is known when it was tried, so its first plan is not looked at. */
  function make(request: ChangeRequest, options: ChangeOptions): Promise<ChangeResult> {
    const { guard } = options
    const { name } = request
    let isKnown = request.prepare === undefined
    return parts.make(
      {
        ...request,
        plan(module) {
          const before = liveReach(name)
          if (before) guard?.unit(name, before)
          const planned = request.plan(module)
          const after = plannedRecord(store, planned)
          if (after && isKnown) {
            guard?.unit(name, after.manifest)
            // Whatever lies there already may be switched off, or on: it is barred where its signature is not right.
            if (readPointer(store, name)?.live !== planned.version) parts.checkSignature(name, after)
          }
          isKnown = true
          return planned
        },
      },
      options,
    )
  }

  const context = (name: string): PlanContext => ({
    secrets: parts.secrets,
    at: parts.clock.now(),
    bad: new Set(
      quarantines
        .all()
        .filter((quarantine) => quarantine.name === name)
        .map(({ version }) => version),
    ),
  })
  const change = (name: string, plan: () => Plan, options: ChangeOptions): Promise<ChangeResult> =>
    make({ name, plan, onLive: forgetUnreachable }, options)

  /** What comes from elsewhere takes the place of what came from there, and of nothing else. */
  function assertTakes(unit: string, { name, source }: UnitOrigin): void {
    const pointer = readPointer(store, unit)
    if (!pointer) return
    const origin = readRecord(store, unit, pointer.live)?.origin
    const isConfigured = (other: string) => sites.config.sources.some((one) => sourceName(one) === other)
    const reason = foreignReason(origin, { name, unit }, source, isConfigured)
    if (reason !== undefined) throw new EdgeError('unit-conflict', reason)
  }

  function forgetUnreachable(): void {
    if (quarantines.keepOnly(epochs.live)) parts.shareQuarantine()
  }

  const served = () => epochs.live.served?.limiters ?? []

  const health: RolloutHealth[] = [parts.health]
  if (parts.plane) health.push(edgeHealth(parts.plane))
  const rollouts = rolloutControl({
    ...parts,
    health,
    controller: { standing: (name) => controller.standing(name) },
    make,
    context,
    onLive: forgetUnreachable,
  })
  const controller = new RolloutController({
    ...parts,
    health,
    live: () => epochs.live,
    warn: (line) => parts.log.warn(line),
    acts: rollouts.acts,
  })

  const control: ControlledNode = {
    deploy(name: string, request: DeployRequest, options) {
      let draft: BuiltUnit['draft']
      let tests: BuiltUnit['tests']
      return make(
        {
          name,
          async prepare() {
            const { draft: built, timings, warnings, ...rest } = await parts.builder.build(name, request)
            draft = built
            tests = rest.tests
            return { timings, warnings: [...warnings] }
          },
          plan(module) {
            const { origin, signature } = request
            if (origin) assertTakes(name, origin)
            const known = {
              ...readModule(name, module, request),
              ...(signature !== undefined && { signature }),
              ...(origin && { origin }),
              ...(options.guard?.sites && { sites: options.guard.sites }),
            }
            const full = { ...draft, ...known, name, env: envChange(request.env) }
            const { rollout, replacesRollout = false } = request
            const how = { ...context(name), replacesRollout }
            const planned = rollout
              ? planStart(store, full, termsOf(rollout), how)
              : planDeploy(store, full, how)
            return tests ? { ...planned, tests } : planned
          },
          onLive: forgetUnreachable,
        },
        options,
      )
    },

    rollback: (name, version, options) =>
      make(
        {
          name,
          plan: () => planRollback(store, name, parts.clock.now(), version),
          onLive(plan) {
            // Whoever goes back to a version by hand wants it to run.
            const isFreed = quarantines.release(plan)
            if (quarantines.keepOnly(epochs.live) || isFreed) parts.shareQuarantine()
          },
        },
        options,
      ),

    async remove(name, options) {
      const result = await change(name, () => planRemove(store, name, parts.clock.now()), options)
      tailHub.forget(name)
      return result
    },

    setEnabled: (name, enabled, options) =>
      change(name, () => planDisabled(store, name, !enabled, parts.clock.now()), options),

    setAllEnabled: (enabled, options) =>
      change('*', () => ({ name: '*', version: 0, effects: planAllEnabled(store, enabled) }), options),

    setEnv: (name, values, options) =>
      change(name, () => planEnv(store, name, envChange(values), context(name)), options),

    rollouts: rollouts.rollouts,
    rollout: rollouts.rollout,
    moveRollout: rollouts.moveRollout,

    rotateSecrets: (key) => parts.inTurn(() => rotateSecrets(store, parts.writer, parts.secrets, key)),

    reach: liveReach,
    namespaceUsers: (namespace) =>
      listPointers(store).flatMap(([name, pointer]) => {
        const manifest = readRecord(store, name, pointer.live)?.manifest
        return name !== namespace && manifest?.kv === namespace
          ? [{ name, hosts: manifest.hosts, paths: manifest.paths }]
          : []
      }),
    sites: () => sites.sites(),
    site: (name) => sites.site(name),
    sources: () => parts.sources(),
    origins: () => askOrigins(pool, ORIGINS_MAX_MS),
    packet: (top) => parts.packet.summary(top),
    caches: (top) => askCaches(pool, top, ORIGINS_MAX_MS),
    limits: async () =>
      limitSummaries(served(), await parts.samples(), (limit) => parts.limits.keysOf(limit)),
    limitTop: async (named, count) => askLimitTop(pool, limitNamed(served(), named), count, ORIGINS_MAX_MS),
    steer: (name, client) => askSteered(pool, name, client, ORIGINS_MAX_MS),
    explainCache: (url, headers) => askExplanation(pool, url, headers, ORIGINS_MAX_MS),
    setSites: (inputs, how, options) => sites.setSites(inputs, how, options),
    removeSite: (name, expected, options) => sites.removeSite(name, expected, options),
    reload: (options) => sites.reload(options),
    upgrade: () => parts.upgrade(),
    purge: (request, options) => parts.purge(request, options),
    ban: parts.bans.ban,
    unban: parts.bans.unban,
    bans: parts.bans.bans,
    orderBans: parts.bans.order,

    async units() {
      const breakers = await parts.breakers()
      const barred = barredIn(epochs.live)
      return listPointers(store).map(([name, pointer]) => summary(name, pointer, breakers, barred.get(name)))
    },

    async unit(name): Promise<UnitDetail> {
      const pointer = readPointer(store, name)
      if (!pointer) throw new EdgeError('unit-unknown', `there is no unit ${name}`)
      const { env = {} } = readRecord(store, name, pointer.live) ?? {}
      return {
        ...summary(name, pointer, await parts.breakers(), barredIn(epochs.live).get(name)),
        envValues: Object.fromEntries(
          Object.entries(env).flatMap(([key, value]) => ('plain' in value ? [[key, value.plain]] : [])),
        ),
        versions: versions(name, pointer),
        errors: [...tailHub.errors(name)],
      }
    },

    ...parts.edges,
    ...parts.certificates,
    metrics: async () => formatPrometheus(await parts.samples(), METRIC_HELP),
    kv: parts.kv,
    tail: (unit: string | undefined, listener: TailListener) => tailHub.subscribe(unit, listener),
    ...nodeStore(parts),

    unready: () => readiness(parts).reasons,
  }
  const reporter = new RolloutReporter({
    ...parts,
    live: () => epochs.live,
    warn: (line) => parts.log.warn(line),
  })
  return { control, keepers: parts.link.follows === undefined ? [controller] : [reporter] }

  function summary(
    name: string,
    pointer: UnitPointer,
    breakers: Breakers,
    barred: string | undefined,
  ): UnitSummary {
    const record = readRecord(store, name, pointer.live)
    if (!record)
      throw new EdgeError('store-corrupt', `the store has no ${versionKey({ name, version: pointer.live })}`)
    const quarantine = quarantines.of({ name, version: pointer.live })
    const names = (kind: 'plain' | 'sealed') =>
      Object.entries(record.env).flatMap(([key, value]) => (kind in value ? [key] : []))
    const { hosts, paths, methods, nodes, limit, ...manifest } = record.manifest
    return {
      name,
      version: pointer.live,
      state: unitState(name, pointer, unitsEnabled(store), quarantines, barred !== undefined),
      ...(quarantine && { quarantine }),
      ...(barred !== undefined && { barred }),
      breaker: breakers.get(versionKey({ name, version: pointer.live })) ?? 'closed',
      phases: PHASES.filter((phase) => (record.phases & PHASE_BITS[phase]) !== 0),
      manifest: {
        ...manifest,
        hosts: [...hosts],
        paths: [...paths],
        methods: [...methods],
        nodes: [...nodes],
        ...(limit && { limit: [...limit] }),
      },
      ...(record.origin && { origin: record.origin }),
      env: names('plain'),
      secrets: names('sealed'),
      deployedAt: record.at,
      ...(isUnderWay(pointer.rollout) && { rollout: rolloutOf(pointer.rollout) }),
    }
  }

  function versions(name: string, pointer: UnitPointer): VersionSummary[] {
    return pointer.kept.toReversed().flatMap((version) => {
      const record = readRecord(store, name, version)
      const quarantined = quarantines.of({ name, version }) !== undefined
      const { rollout } = pointer
      const isOnItsWay = isUnderWay(rollout) && rollout.version === version
      const base = { version, live: version === pointer.live, at: record?.at ?? 0, quarantined }
      return record ? [{ ...base, ...(isOnItsWay && { rollout: rollout.kind }) }] : []
    })
  }
}
