/**
 * Starts an edge node: the process that starts and watches all the others.
 *
 *     store, lock → ports probed → shared words → workers → control plane → ready
 *
 * It serves no request itself: whatever happens here, workers go on with the units they have. Where it dies, they end, and so
 * does everything they started; the next start finds the last set in the store.
 */
import { hostname } from 'node:os'
import { resolve } from 'node:path'
import { systemClock, type Clock } from '../base/clock.ts'
import type { ListenSocket } from '../base/listen-socket.ts'
import { notifyServiceManager } from '../base/service-manager.ts'
import { createSharedWords, inheritSharedWords } from '../base/shared-words.ts'
import { VERSION } from '../base/version.ts'
import type { Config } from '../config/schema.ts'
import type { Environment } from '../config/telemetry.ts'
import type { RequestTrace, TailLine } from '../contract/messages.ts'
import { SIBLING_WORDS } from '../contract/siblings.ts'
import { startControl } from '../control/server.ts'
import { KV_WORDS } from '../kv/versions.ts'
import { Throttle } from '../control/throttle.ts'
import { TokenRate } from '../control/token-rate.ts'
import { TokenBook } from '../control/tokens.ts'
import type { ControlToken } from '../store/control-token.ts'
import { appendPlanned } from '../replication/store-writer.ts'
import { openSecrets } from '../store/secrets.ts'
import { settleSecrets } from './store/secret-rotation.ts'
import { makeBundles, type Bundles } from '../sandbox/bundle-files.ts'
import type { ConfigFile } from './config-file.ts'
import type { UpgradeResult } from '../control/shapes.ts'
import { CacheDisks } from './cache-disks.ts'
import { openControlSocket } from './control-socket.ts'
import { EdgeStates } from './dns/edge-states.ts'
import { MachineLoad } from './dns/machine-load.ts'
import { EdgeNode } from './edge-node.ts'
import { LimitRegions } from './limits/limit-regions.ts'
import { ListenSockets } from './listen-sockets.ts'
import { PacketPlane } from './packet-plane.ts'
import { openWhenFree } from './handover/freed-store.ts'
import type { Predecessor } from './handover/predecessor.ts'
import type { NodeSurroundings } from './node-surroundings.ts'
import type { Program } from './handover/successor.ts'
import { Upgrade } from './handover/upgrade.ts'
import { watchText } from './file-watch.ts'
import { stderrLog, type Log } from './log.ts'
import { assertFilesUsable } from './named-files.ts'
import { reloadTold } from './reload.ts'
import { readRootToken, RootToken } from './root-token.ts'
import { KvService } from './kv-service.ts'
import { openEdgePlane } from './replication/open-edge-plane.ts'
import { applyFileAtStart, refuseSites } from './site-control.ts'
import { isLoopback, splitAddress } from './ports.ts'
import { openStoreLink } from './replication/store-link.ts'
import { createBuilder, type UnitBuilder } from './changes/unit-builder.ts'
import type { PoolTime } from './workers/worker-pool.ts'

export interface SupervisorOptions {
  readonly clock?: Clock
  readonly log?: Log
  /** The program of a worker. Tests bring their own, and then bundles too. */
  readonly workerEntry?: string
  readonly poolTime?: PoolTime
  readonly bundles?: Bundles
  readonly builder?: UnitBuilder
  /** Where the configuration came from; without it there are no sites but those in the store. */
  readonly file?: ConfigFile
  /** The value of `ORLA_SECRET_KEY`, which seals secrets instead of a key file. */
  readonly secretKey?: string
  /** Of the program: OpenTelemetry's variables count where the configuration is silent. */
  readonly environment?: Environment
  /** Told of every request and of what units log, for their author. It costs: for development. */
  readonly observer?: NodeObserver
  /** How this program was started, so that it can be started anew by an upgrade. */
  readonly program?: Program
  /** How long an edge that is new tries to reach its control plane, in milliseconds; without end unless said. */
  readonly joinTimeoutMs?: number
  /** The program that this one takes over from. */
  readonly predecessor?: Predecessor
}

export interface NodeObserver {
  onTrace(trace: RequestTrace): void
  onLine(line: TailLine): void
  onDropped(count: number): void
}

export interface Supervisor {
  /** Where the edge listens, as in the configuration, with the ports that the system chose. */
  readonly addresses: readonly string[]
  /** The same as `http://…` or `https://…`. */
  readonly urls: readonly string[]
  /** Where workers answer DNS: `dns://0.0.0.0:53`. Empty where they do not. */
  readonly dns: readonly string[]
  /** Where the admin API listens: `127.0.0.1:8081`. */
  readonly controlAddress: string
  /** The bearer token it started with: the configured one, or the one that is kept in the data directory. */
  readonly token: string
  /** Where it is kept, where the configuration gives none. */
  readonly keptToken: ControlToken | undefined
  /** Whether it has a configuration file. */
  readonly canReload: boolean
  /** Reads the configuration file again, and the files of certificates that it names; what is wrong with it, or what was done, is told to the operator. */
  reload(why: string): Promise<void>
  /** Opens the access logs anew, after they were moved away. */
  reopenLogs(): void
  /** Starts the program anew and hands over to it. Rejects where that does not come to serve: this one goes on then. */
  upgrade(): Promise<UpgradeResult>
  /** Resolves when another program has taken over, and everything here has ended. */
  readonly handedOver: Promise<void>
  /** Takes nothing new, finishes what is in flight (at most `edge.limits.drain`), and ends all processes. */
  drain(): Promise<void>
  /** Ends all processes at once. What was acknowledged is safe. */
  stop(): Promise<void>
}

/** The epoch. */
const WORDS = 1
/** What calls of the control plane get to end when another program has taken over. */
const CONTROL_GRACE_MS = 2_000

/** Starts a node, and resolves when it serves. Throws `EdgeError` where it cannot; nothing is left running then. */
export async function startSupervisor(given: Config, options: SupervisorOptions = {}): Promise<Supervisor> {
  const { clock = systemClock, log = stderrLog, observer, predecessor } = options
  const config = { ...given, node: { ...given.node, name: given.node.name ?? hostname() } }
  const directory = resolve(config.store.path)
  const { file = { sites: [], folder: process.cwd() } } = options

  /** What was made, to be ended in the opposite order; each of them, even where one fails. */
  const made: (() => unknown)[] = []
  const close = async () => {
    for (const end of made.splice(0).toReversed()) {
      try {
        await end()
      } catch (error) {
        log.warn((error as Error).message)
      }
    }
  }

  try {
    const addresses = config.edge.listen.map(({ address }) => address)
    const openSockets = () => ListenSockets.open(addresses, config.edge.workers, predecessor?.sockets())
    const openControl = () =>
      predecessor?.control(config.control.listen) ?? openControlSocket(config.control.listen)
    const bundles = options.bundles ?? (await makeBundles())
    let sockets: ListenSockets | undefined
    let controlSocket: ListenSocket | undefined
    let before: NodeSurroundings['before']
    if (predecessor !== undefined) {
      // Whatever can go wrong goes wrong before the other one lets go.
      assertFilesUsable(config)
      sockets = await openSockets()
      controlSocket = await openControl()
      before = { ticketKeys: await predecessor.prepared(), keeper: predecessor }
    }
    const store = await openWhenFree(directory, clock, predecessor)
    made.push(() => store.close())
    assertFilesUsable(config)
    const { token, kept: keptToken } = readRootToken(config.control, directory)
    sockets ??= await openSockets()
    const { addresses: open } = sockets
    made.push(() => sockets!.close())
    controlSocket ??= await openControl()
    let isControlServed = false
    made.push(() => void (isControlServed || controlSocket!.close()))
    const secrets = openSecrets(directory, options.secretKey)
    /** Who is told that the store has moved. */
    const moved = new Set<() => void>()
    const machine = new MachineLoad()
    made.push(() => machine.close())
    const link = await openStoreLink({
      machine,
      config,
      directory,
      store,
      secrets,
      clock,
      log,
      addresses: open,
      joinTimeoutMs: options.joinTimeoutMs,
      onMoved() {
        for (const listener of moved) listener()
      },
    })
    made.push(() => link.close())
    const isEdge = link.follows !== undefined
    if (isEdge) refuseSites(file.sites)
    const kvWords =
      (predecessor && inheritSharedWords(predecessor.kvWords, KV_WORDS)) ?? createSharedWords(KV_WORDS)
    made.push(() => kvWords.unlink())
    const kv = new KvService({
      directory,
      clock,
      log,
      words: kvWords.words,
      role: link.kvRole,
      // Workers of the program before still use the cache.
      keepsCache: predecessor !== undefined,
      limits: { kv: config.edge.kv, cache: config.edge.unitCache },
    })
    made.push(() => kv.close())
    await link.join(kv.ports)
    await kv.start()
    // Where another key was taken up in the store, the replica knows it by now.
    settleSecrets(store, secrets, link.isNewest)
    const plane = isEdge
      ? undefined
      : openEdgePlane({ config, directory, store, kv, link, secrets, clock, log, machine })
    if (plane) moved.add(() => plane.advanced())
    made.push(() => plane?.close())
    if (!isEdge) await applyFileAtStart(store, link.writer, file, { clock, log })
    const tokens = new TokenBook(
      store,
      (plan) => appendPlanned(store, link.writer, plan),
      token,
      () => clock.now(),
    )
    const shared = createSharedWords(WORDS)
    made.push(() => shared.unlink())
    const siblings = config.edge.workers > 1 ? createSharedWords(SIBLING_WORDS) : undefined
    made.push(() => siblings?.unlink())
    const packet = new PacketPlane({ config: config.packet, log })
    const limits = new LimitRegions(log, config.edge.workers, predecessor?.limits)
    made.push(...[packet, limits].map((one) => () => one.close()))
    const builder = options.builder ?? createBuilder(log, config.control.warmChecker)
    made.push(() => builder.close())

    const node: EdgeNode = new EdgeNode({
      config,
      clock,
      log,
      store,
      link,
      plane,
      edgeStates: new EdgeStates({ config, clock, plane, link, machine }),
      kv,
      disks: new CacheDisks({ directory, config, log, shared }),
      directory,
      shared,
      builder,
      sockets,
      kvWords,
      limits,
      siblings,
      packet,
      ...(before && { before }),
      upgrade: () => upgrade.start(),
      file,
      rootToken: new RootToken(directory, tokens, log),
      environment: options.environment ?? {},
      secrets,
      bundles,
      ...(observer && { onTrace: (trace) => observer.onTrace(trace) }),
      ...(options.workerEntry === undefined ? {} : { workerEntry: options.workerEntry }),
      ...(options.poolTime && { poolTime: options.poolTime }),
    })
    made.push(() => node.kill())
    moved.add(() => node.storeMoved())
    // Before workers start, which takes a while: units of the program before wait for it.
    predecessor?.writeKv(node.applyKv)
    await node.start()
    if (observer) made.push(node.control.tail(undefined, observer))

    const isOpen = !isLoopback(splitAddress(config.control.listen).host)
    if (isOpen) {
      log.warn(
        `the control plane listens on ${config.control.listen}, not on this machine alone, and speaks HTTP without TLS: whoever sees its traffic sees its tokens`,
      )
    }
    // From here on it is the server's.
    isControlServed = true
    const control = await startControl({
      fd: controlSocket.fd,
      node: node.control,
      access: {
        tokens,
        throttle: new Throttle(() => clock.monotonic()),
        rate: new TokenRate(
          () => clock.monotonic(),
          () => node.config.control.requests,
        ),
        audit: store.audit,
        position: () => store.position().id,
        onValid: node.banning.called,
      },
      hosts: () => (isOpen ? undefined : node.config.control.hosts),
      version: VERSION,
      onMistake: (error) => log.warn(`the admin API failed: ${error.stack ?? error.message}`),
    })
    made.push(() => control.close(0))

    const handedOver = Promise.withResolvers<void>()
    // Whoever waits for it is told; where nobody does, that is no failure of its own.
    handedOver.promise.catch(() => undefined)
    let draining: Promise<void> | undefined
    const upgrade: Upgrade = new Upgrade({
      program: options.program,
      log,
      isHeir: predecessor !== undefined,
      estate: () => ({
        sockets: sockets!.inheritance(),
        control: { address: config.control.listen, fd: controlSocket!.fd },
        kvWords: kvWords.path,
        packet: packet.links(),
        limits: limits.estate,
      }),
      ticketKeys: () => node.ticketKeys,
      suspend: () => node.suspend(),
      entrust: (successor) => node.entrust(successor),
      resume: () => (packet.resume(), node.resume()),
      leave(successor) {
        // From the main process: by default systemd hears nobody else (`NotifyAccess=main`).
        notifyServiceManager(`MAINPID=${successor.pid}`)
        packet.leave()
        draining = (async () => {
          // Edges go to the program that serves now.
          plane?.close()
          await Promise.all([control.close(CONTROL_GRACE_MS), node.leave()])
          await close()
          successor.release()
        })()
        draining.then(handedOver.resolve, handedOver.reject)
      },
    })

    const reload = async (why: string): Promise<void> => {
      // Another program has taken over, or nothing is left to change.
      if (draining !== undefined) return
      return reloadTold(node.control, store, why, log)
    }
    if (file.path !== undefined) {
      const watch = watchText(
        file.path,
        () => void reload('its file changed'),
        (error) => log.warn(`${file.path} is not watched (${error.message}): use \`orla reload\``),
      )
      made.push(() => watch.close())
    }
    const { dns } = config
    if (dns !== undefined) {
      const watch = watchText(
        dns.corefile,
        () => void reload('its Corefile changed'),
        (error) => log.warn(`${dns.corefile} is not watched (${error.message}): use \`orla reload\``),
      )
      made.push(() => watch.close())
    }

    // Not before: to be warm takes the checker as much CPU as all the rest of a start, and a node serves before anybody deploys.
    builder.warm()
    packet.start(node.banning, predecessor?.packet())
    predecessor?.ready(VERSION)
    // Who lets go says who is the main process from then on: until it has, this one may still be ended.
    const isHeir = predecessor !== undefined && !predecessor.isGone
    notifyServiceManager(isHeir ? 'READY=1' : `READY=1\nMAINPID=${process.pid}`)
    return {
      addresses: open,
      urls: open.map(
        (address, index) => `${config.edge.listen[index]!.tls === undefined ? 'http' : 'https'}://${address}`,
      ),
      controlAddress: control.address,
      dns: sockets.dns,
      token,
      keptToken,
      canReload: file.load !== undefined,
      reload,
      reopenLogs: () => node.reopenLogs(),
      upgrade: () => upgrade.start(),
      handedOver: handedOver.promise,
      drain() {
        draining ??= (async () => {
          notifyServiceManager('STOPPING=1')
          await upgrade.abort()
          // The program before may be draining still, and a service manager kills whoever is left when this one has ended.
          await Promise.all([node.drain(), predecessor?.gone])
          await close()
        })()
        return draining
      },
      stop: close,
    }
  } catch (error) {
    await close()
    throw error
  }
}
