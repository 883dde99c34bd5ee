/**
 * Puts one worker together: sites, cache, origins, units, the HTTP server.
 *
 * The outside world comes in as `platform`; everything else is made here, and nowhere else.
 */
import type { Clock } from './base/clock.ts'
import { openSharedWords } from './base/shared-words.ts'
import { systemTimers } from './base/timers.ts'
import type { KvBatch } from './contract/kv.ts'
import type {
  FromWorker,
  MetricSample,
  Quarantine,
  RequestTrace,
  Served,
  TailLine,
  ToWorker,
} from './contract/messages.ts'
import type { ShadowExample } from './contract/rollout.ts'
import type { DnsSteeringExplanation } from './contract/dns.ts'
import type { CacheExplanation, CacheReading } from './contract/cache-reading.ts'
import type { LimitTop } from './contract/limits.ts'
import type { Purge } from './contract/purge.ts'
import type { OriginState } from './contract/origin.ts'
import { NO_CHALLENGES, type TlsMaterial } from './contract/tls.ts'
import type { TestReport } from './contract/unit-runner.ts'
import { PHASES_BESIDE_REQUESTS, type UnitVersion } from './contract/unit.ts'
import { WorkerDns } from './compose-worker-dns.ts'
import { createAdmission } from './cache/index.ts'
import { isShared } from './config/shared-cache.ts'
import { KeeperLink, planOfSite, planShared, WorkerTier } from './disk/index.ts'
import { createHostCalls, type WorkerCalls } from './host/host-calls.ts'
import { AccessLogs } from './http/access-log/access-log.ts'
import { refusedRequest } from './http/access-log/logged-request.ts'
import { Banning } from './http/banning.ts'
import { cacheSamples, diskSamples, readCaches } from './http/cache-metrics.ts'
import { SiteCaches } from './http/site-caches.ts'
import { buildSite } from './http/site-building.ts'
import { explainCache } from './http/cache-explanation.ts'
import { CachePurger } from './http/cache-purger.ts'
import { Exchange } from './http/exchange.ts'
import { loopMark } from './http/forwarding/hop.ts'
import { Peer } from './http/forwarding/peer.ts'
import { HttpMetrics } from './http/http-metrics.ts'
import { LiveEdges } from './http/live-edge.ts'
import { LiveLimits } from './http/limits/live-limits.ts'
import { UnitLimits } from './http/limits/unit-limits.ts'
import { Networks } from './http/limits/networks.ts'
import { LiveSites } from './http/live-sites.ts'
import { LiveUnits } from './http/live-units.ts'
import { requestIdOf } from './http/request-id.ts'
import { traceExchange } from './http/request-trace.ts'
import { beginSpans } from './http/tracing/request-spans.ts'
import { Siblings } from './http/siblings/siblings.ts'
import { HttpServer } from './http/server.ts'
import { ShadowDesk } from './http/shadow/shadow-desk.ts'
import { advance } from './http/stages.ts'
import { Http2Metrics } from './http/http2/metrics.ts'
import { TlsMetrics } from './http/tls-metrics.ts'
import { choosePlan } from './http/unit-plan.ts'
import { turnAway } from './http/turned-away.ts'
import { Upgrades } from './http/upgrade/upgrades.ts'
import { ClusterLimits } from './limit/cluster/cluster-limits.ts'
import { runTimer } from './sandbox/run-timer.ts'
import { createUnitRunner } from './sandbox/unit-dispatcher.ts'
import { weakWalls } from './sandbox/weak-walls.ts'
import { WorkerTelemetry } from './telemetry/worker-telemetry.ts'
import { runUnitTests } from './trial/unit-tests.ts'
import { locateInSource, mapStack } from './unit/source-map.ts'

export interface Platform {
  readonly clock: Clock
  /** 0 to 1. */
  readonly random: () => number
  /** Tells the operator. */
  readonly warn: (line: string) => void
}

export interface WorkerEvents {
  onQuarantine(quarantine: Quarantine): void
  onLine(line: TailLine): void
  onTrace(trace: RequestTrace): void
  onSandboxes(pids: readonly number[]): void
  onKvBatch(batch: KvBatch): void
  onShadow(example: ShadowExample): void
  onInvalidated(purges: readonly Purge[]): void
  onUnitPurge(asked: Omit<Extract<FromWorker, { kind: 'unitPurge' }>, 'kind'>): void
  onBanning(asked: Extract<FromWorker, { kind: 'ban' | 'refusals' }>): void
}

type Start = Extract<ToWorker, { kind: 'start' }>

export interface WorkerNode {
  /** Runs the tests of a version that is not live, aside from everything that is. */
  test(message: Extract<ToWorker, { kind: 'test' }>): Promise<TestReport>
  readonly runner: ReturnType<typeof createUnitRunner>
  readonly units: LiveUnits
  readonly calls: WorkerCalls
  readonly telemetry: WorkerTelemetry
  readonly purger: CachePurger
  readonly banning: Banning
  readonly dns: WorkerDns
  /** What TLS handshakes from now on use. */
  useTls(material: TlsMaterial): void
  /** Accepts connections from each of the sockets. */
  listen(sockets: Start['sockets']): Promise<void>
  /** Opens the access logs anew, after they were moved away. */
  reopenLogs(): void
  /** Runs the `timer` of a version. */
  runTimer(name: string, version: number): Promise<'ok' | 'failed'>
  metrics(): MetricSample[]
  /** How the endpoints of each site do, as this worker sees them. */
  origins(): { readonly site: string; readonly origin: OriginState }[]
  /** What the caches of sites hold and did in this worker, with so many of the most wanted objects of each. */
  caches(top: number): CacheReading[]
  /** Who asked most of a limit, in the last minutes, here; undefined where there is none of that name. */
  limitTop(site: string, name: string, count: number): readonly LimitTop[] | undefined
  /** What the cache would make of a GET of this URL; undefined where no site answers for it. */
  explain(url: string, headers: readonly string[]): CacheExplanation | undefined
  /** How a client is answered that asks for a steered name: for each server block that has it. */
  steer(name: string, client: string): readonly DnsSteeringExplanation[]
  drain(): Promise<void>
}

export function composeWorker(start: Start, platform: Platform, events: WorkerEvents): WorkerNode {
  const { config } = start
  const { clock, random } = platform
  const metrics = new HttpMetrics()
  const node = { name: config.node.name ?? '', groups: config.node.groups }
  const words = openSharedWords(start.shared)
  const calls = createHostCalls({
    stores: start.kv,
    clock,
    words: openSharedWords(start.kvWords),
    send: events.onKvBatch,
    askPurge: events.onUnitPurge,
    // Both are there before the first unit runs.
    limits: { take: (...asked) => unitLimits.take(...asked), names: (asker) => unitLimits.names(asker) },
    bans: { ban: (request) => banning.ban(request) },
    fetch: config.edge.fetch,
    sources: config.sources,
  })
  const runner = createUnitRunner({
    worker: start.worker,
    bundles: start.bundles,
    sandboxMemory: config.edge.sandboxMemory,
    isExact: start.isTracing,
    node,
    clock,
    calls,
    locate: locateInSource,
    mapStack,
    ...events,
  })
  runner.quarantine(start.quarantined)
  const walls = start.worker === 0 ? weakWalls(runner.protections) : undefined
  if (walls !== undefined) platform.warn(walls)
  const logs = new AccessLogs({
    node: node.name,
    worker: start.worker,
    stdout: start.stdout,
    random,
    warn: platform.warn,
  })
  const keeper = new KeeperLink(start.disk.socket)
  const openTier = (plan: ReturnType<typeof planShared>) =>
    plan && new WorkerTier(plan, keeper, platform.warn, createAdmission)
  const caches = new SiteCaches({
    workers: config.edge.workers,
    nowMs: () => clock.monotonic(),
    shared: config.edge.cache,
    purging: () => purger,
    isShared: (site) => isShared(site, config.edge.cache),
    openOwn: (site) => openTier(planOfSite(site, start.disk.folder)),
    openShared: () => openTier(planShared(config.edge.cache, start.disk.folder)),
  })
  const edges = new LiveEdges(logs, config.edge)
  const { served = { sites: config.sites, limits: config.edge.limits } as Served } = start.units
  let edge = edges.of(served)
  const networks = new Networks(platform.warn)
  const { limitsRedis, workers } = config.edge
  const cluster = limitsRedis && new ClusterLimits(limitsRedis, { ...platform, timers: systemTimers })
  const limits = new LiveLimits(
    { worker: start.limitWorker, place: start.worker, workers, networks, cluster },
    served,
  )
  const unitLimits: UnitLimits = new UnitLimits(() => limits.live)
  const purger: CachePurger = new CachePurger({
    worker: start.worker,
    number: start.purgeNumber,
    sites: () => sites.table,
    now: () => clock.now(),
    tell(purges) {
      const caches = [config.edge.cache, ...sites.table.sites.map((site) => site.config.cache)]
      const hasDisk = caches.some((cache) => cache?.disk !== undefined)
      // One worker alone has told itself.
      if (config.edge.workers > 1 || hasDisk) events.onInvalidated(purges)
    },
  })
  const sites: LiveSites = new LiveSites(served, {
    build: (site, before, set) => ({
      ...buildSite(site, before, caches, set.sites, platform),
      limits: limits.of(set).of(site),
      accessLog: site.accessLog === undefined ? edges.of(set).accessLog : logs.open(site.accessLog),
    }),
    // The first limit over all nodes may come with this set: no request of it is counted here alone because nobody has asked Redis yet.
    ready: () => cluster?.ready() ?? Promise.resolve(),
    onActive(set) {
      edge = edges.of(set)
      limits.use(set)
      server.limits = set.limits
      server.trust = edge.trust
      server.useListeners(edge.listen)
      calls.useFetch(edge.fetch)
      if (set.sources) calls.useSources(set.sources)
    },
  })
  const dns = new WorkerDns({ start, random, warn: platform.warn, logs, runner, live: () => units })
  const units: LiveUnits = new LiveUnits(start.units, node, runner, sites, words, dns)
  const shadows = new ShadowDesk({
    runner,
    monotonic: () => clock.monotonic(),
    onExample: (example) => events.onShadow(example),
  })
  const telemetry = new WorkerTelemetry({ random, warn: platform.warn })
  telemetry.use(start.telemetry)
  const tlsMetrics = new TlsMetrics()
  const http2Metrics = new Http2Metrics()
  let tls = start.tls
  const https = start.addresses[config.edge.listen.findIndex((listener) => listener.tls !== undefined)]
  const httpsPort = https === undefined ? 443 : Number(https.slice(https.lastIndexOf(':') + 1))
  const siblings =
    start.siblings === undefined
      ? undefined
      : new Siblings({
          worker: start.worker,
          workers: config.edge.workers,
          path: start.siblings,
          words: openSharedWords(start.siblings),
          // First: what is live now.
          sites: () => (units.matcher(), sites.table),
          now: () => clock.now(),
          purges: () => purger.number,
        })
  const upgrades = new Upgrades(() => sites.served.limits, clock.monotonic())
  const banning: Banning = new Banning(
    { tell: events.onBanning, onAdded: () => server.closeBanned() },
    start.bans,
  )
  const httpNode = {
    get sites() {
      return sites.table
    },
    runner,
    metrics,
    upgrades,
    banning,
    siblings,
    get limits() {
      return limits.live.common
    },
    unitLimits,
    get networkOf() {
      return limits.live.networkOf
    },
    get requestId() {
      return edge.requestId
    },
    get traceSample() {
      return telemetry.tracer?.sample ?? edge.traceSample
    },
    get tracer() {
      return telemetry.tracer
    },
    loopMark: loopMark(start.identity),
    get doh() {
      return dns.doh
    },
    get challenges() {
      return tls?.challenges ?? NO_CHALLENGES
    },
    httpsPort,
    get accessLog() {
      return edge.accessLog
    },
    warn: platform.warn,
    get isDraining() {
      return server.draining
    },
    get unitBodyBytes() {
      return sites.served.limits.unitBodyBytes
    },
    now: () => clock.now(),
    monotonic: () => clock.monotonic(),
    get lastGood() {
      return units.lastGood
    },
  }
  const chance = {
    random,
    onSampledOut: (unit: UnitVersion) => runner.sampledOut(unit, unit.phases & ~PHASES_BESIDE_REQUESTS),
  }
  const server = new HttpServer({
    limits: served.limits,
    listeners: config.edge.listen,
    metrics,
    tlsMetrics,
    trust: edge.trust,
    http2Metrics,
    door: banning,
    monotonic: () => clock.monotonic(),
    onRequest(connection, received) {
      // First: with it everything else becomes what is live now.
      const matcher = units.matcher()
      const { trust } = edge
      let { peer } = connection
      if (peer?.trust !== trust) peer = connection.peer = new Peer(connection.ends, trust)
      const head = received.hasForwarding ? peer.believed(received) : received
      const client = received.hasForwarding ? peer.clientOf(received) : peer.client
      if (!banning.isEmpty && turnAway(banning, httpNode, connection, head, client)) return
      const plan = choosePlan(matcher, head, client, chance)
      const exchange = new Exchange(httpNode, connection, head, client, plan)
      const { debugToken } = sites.served
      if (debugToken !== undefined) exchange.enableDebug(debugToken)
      if (start.isTracing) traceExchange(exchange, (trace) => events.onTrace(trace))
      const { tracer } = telemetry
      if (tracer !== undefined) beginSpans(exchange, tracer)
      if (httpNode.requestId.client) exchange.applyEdits(`H x-request-id: ${requestIdOf(exchange)}\n`)
      if (units.shadows.length > 0) exchange.shadow = shadows.begin(exchange, units.shadows)
      connection.attach(exchange)
      advance(exchange)
    },
    onRefused(refusal) {
      edge.accessLog?.write(refusedRequest(refusal), clock.now(), 0)
    },
    onSweep() {
      upgrades.sweep(clock.monotonic())
      void networks.refresh()
      for (const site of sites.table.sites) site.cache?.sweep(clock.now())
    },
  })
  const useTls = (material: TlsMaterial) => {
    tls = material
    server.updateTls(material)
  }
  if (tls !== undefined) useTls(tls)
  return {
    test: ({ unit, tests }) => runUnitTests(unit, tests, { bundles: start.bundles, node }),
    runner,
    units,
    calls,
    telemetry,
    purger,
    banning,
    dns,
    useTls,
    async listen(sockets) {
      await Promise.all([siblings?.listen(), cluster?.ready(), dns.start(served.dns, start.isReplacement)])
      await Promise.all(sockets.map(({ listener, fd }) => server.listen(fd, listener)))
    },
    reopenLogs: () => logs.reopen(),
    runTimer: (name, version) => runTimer(runner, units.version(name, version)),
    metrics: () => [
      ...metrics.samples(),
      ...(tls === undefined ? [] : tlsMetrics.samples()),
      ...upgrades.samples(),
      ...banning.samples(),
      ...http2Metrics.samples(),
      ...cacheSamples(sites.table.sites),
      ...diskSamples(sites.table.sites),
      ...sites.table.sites.flatMap(({ name, origin }) => origin.samples(name)),
      ...runner.metrics(),
      ...shadows.samples(),
      ...logs.samples(),
      ...limits.samples(),
      ...(cluster?.samples() ?? []),
      ...telemetry.samples(),
      ...dns.samples(),
    ],
    origins: () => sites.table.sites.map(({ name, origin }) => ({ site: name, origin: origin.state() })),
    caches: (top) => readCaches(sites.table.sites, top, clock.now()),
    limitTop: (site, name, count) => limits.top(site, name, count),
    steer: (name, client) => dns.explain(name, client),
    explain: (url, headers) => explainCache(sites.table, url, headers, clock.now()),
    async drain() {
      const { drain } = sites.served.limits
      const deadlineMs = clock.monotonic() + drain
      await Promise.all([server.drain(drain), dns.stop()])
      // What others follow here is theirs as well; a refresh in the background is nobody's, and is dropped.
      await siblings?.drain(deadlineMs - clock.monotonic())
      for (const site of sites.table.sites) site.origin.close()
      await runner.close()
      calls.close()
      banning.close()
      keeper.close()
      cluster?.close()
      await Promise.all([logs.close(), telemetry.close()])
    },
  }
}
