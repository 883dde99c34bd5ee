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
import { createSharedWords } from '../base/shared-words.ts'
import { VERSION } from '../base/version.ts'
import type { Config } from '../config/schema.ts'
import type { RequestTrace, TailLine } from '../contract/messages.ts'
import { startControl } from '../control/server.ts'
import { KV_WORDS, KV_WORDS_FROM } from '../kv/versions.ts'
import { Throttle } from '../control/throttle.ts'
import { TokenBook } from '../control/tokens.ts'
import { openControlToken, type ControlToken } from '../store/control-token.ts'
import { openSecrets } from '../store/secrets.ts'
import { openStore } from '../store/sqlite-store.ts'
import { makeBundles, type Bundles } from '../sandbox/bundle-files.ts'
import type { ConfigFile } from './config-file.ts'
import { EdgeNode } from './edge-node.ts'
import { watchText } from './file-watch.ts'
import { stderrLog, type Log } from './log.ts'
import { assertLogsWritable } from './log-paths.ts'
import { reloadTold } from './reload.ts'
import { applyFileAtStart } from './site-control.ts'
import { addressError, isLoopback, probeAddress, splitAddress } from './ports.ts'
import { createBuilder, type UnitBuilder } from './unit-builder.ts'
import type { PoolTime } from './worker-pool.ts'

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
  /** Told of every request and of what units log, for their author. It costs: for development. */
  readonly observer?: NodeObserver
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
  /** Where the admin API listens: `127.0.0.1:8081`. */
  readonly controlAddress: string
  /** The bearer token: the configured one, or the one that is kept in the data directory. */
  readonly token: string
  /** Where it is kept, where the configuration gives none. */
  readonly keptToken: ControlToken | undefined
  /** Whether it has a configuration file. */
  readonly canReload: boolean
  /** Reads the configuration file again, and the files of certificates; what is wrong with it, or what was done, is told to the operator. */
  reload(why: string): Promise<void>
  /** Opens the access logs anew, after they were moved away. */
  reopenLogs(): void
  /** Takes nothing new, finishes what is in flight (at most `edge.limits.drain`), and ends all processes. */
  drain(): Promise<void>
  /** Ends all processes at once. What was acknowledged is safe. */
  stop(): Promise<void>
}

/** Word 0 is the epoch; those after it are free; then come those of key/value data. */
const WORD_COUNT = KV_WORDS_FROM + KV_WORDS

/** Starts a node, and resolves when it serves. Throws `EdgeError` where it cannot; nothing is left running then. */
export async function startSupervisor(given: Config, options: SupervisorOptions = {}): Promise<Supervisor> {
  const { clock = systemClock, log = stderrLog, observer } = options
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
    const store = openStore(directory, { clock })
    made.push(() => store.close())
    assertLogsWritable(config)
    const keptToken = config.control.token === undefined ? openControlToken(directory) : undefined
    const token = config.control.token ?? keptToken!.token
    const addresses = config.edge.listen.map(({ address }) => address)
    for (const address of [...addresses, config.control.listen]) await probeAddress(address)
    applyFileAtStart(store, file, { clock, log })
    const shared = createSharedWords(WORD_COUNT)
    made.push(() => shared.unlink())
    const builder = options.builder ?? createBuilder(log, config.control.warmChecker)
    made.push(() => builder.close())

    const node = new EdgeNode({
      config,
      clock,
      log,
      store,
      directory,
      shared,
      builder,
      file,
      secrets: openSecrets(directory, options.secretKey),
      bundles: options.bundles ?? (await makeBundles()),
      ...(observer && { onTrace: (trace) => observer.onTrace(trace) }),
      ...(options.workerEntry === undefined ? {} : { workerEntry: options.workerEntry }),
      ...(options.poolTime && { poolTime: options.poolTime }),
    })
    made.push(() => node.kill())
    await node.start()
    if (observer) made.push(node.control.tail(undefined, observer))

    const isOpen = !isLoopback(splitAddress(config.control.listen).host)
    if (isOpen) {
      log.warn(
        `the control plane listens on ${config.control.listen}, not on this machine alone, and speaks HTTP without TLS: whoever sees its traffic sees its tokens`,
      )
    }
    const control = await startControl({
      ...splitAddress(config.control.listen),
      node: node.control,
      access: {
        tokens: new TokenBook(store, token, () => clock.now()),
        throttle: new Throttle(() => clock.monotonic()),
        audit: store.audit,
        position: () => store.position().id,
      },
      hosts: isOpen ? undefined : config.control.hosts,
      version: VERSION,
      onMistake: (error) => log.warn(`the admin API failed: ${error.stack ?? error.message}`),
    }).catch((error: NodeJS.ErrnoException) => {
      throw addressError(error, config.control.listen)
    })
    made.push(() => control.close(0))

    const reload = (why: string) => {
      node.reloadCertificates()
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

    // Not before: to be warm takes the checker as much CPU as all the rest of a start, and a node serves before anybody deploys.
    builder.warm()
    return {
      addresses: node.addresses,
      urls: node.addresses.map(
        (address, index) => `${config.edge.listen[index]!.tls === undefined ? 'http' : 'https'}://${address}`,
      ),
      controlAddress: control.address,
      token,
      keptToken,
      canReload: file.load !== undefined,
      reload,
      reopenLogs: () => node.reopenLogs(),
      async drain() {
        await node.drain()
        await close()
      },
      stop: close,
    }
  } catch (error) {
    await close()
    throw error
  }
}
