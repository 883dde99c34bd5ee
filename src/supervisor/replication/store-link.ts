/**
 * How this node is tied to the store: whose log it reads and writes.
 *
 *     embedded     the log is its own file
 *     redis, etcd  a control plane: the log is the engine's, its file a replica that it keeps abreast
 *     replica      an edge: its file is a replica that it keeps abreast by its control plane
 */
import type { DnsEdgeState } from '../../contract/dns.ts'
import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '../../base/clock.ts'
import type { ErrorCode } from '../../base/error-codes.ts'
import { EdgeError } from '../../base/errors.ts'
import { systemTimers } from '../../base/timers.ts'
import { VERSION } from '../../base/version.ts'
import type { Config, ReplicaStoreConfig } from '../../config/schema.ts'
import { type EdgeReport, REPLICATION_PROTOCOL } from '../../contract/replication.ts'
import type { KvUplinkAnswer } from '../../contract/kv-replication.ts'
import { kvLog, UNITS_LOG, type StoreEngine } from '../../contract/shared-log.ts'
import type { FollowedLog } from '../../replication/feed-taker.ts'
import type { KvRole } from '../../kv/keeper.ts'
import { followedLogs } from '../../kv/replication/log-ends.ts'
import { ControlFollower, isPassing } from '../../replication/control-follower.ts'
import { EngineFollower } from '../../replication/engine-follower.ts'
import { httpTransport } from '../../replication/control-transport.ts'
import { refusingWriter, storeWriter, type StoreWriter } from '../../replication/store-writer.ts'
import { openEngine } from '../../store/engines/open-engine.ts'
import { embeddedLog } from '../../store/engines/embedded.ts'
import { writeSecretFile } from '../../store/secret-file.ts'
import type { RotatableSecrets } from '../../store/secrets.ts'
import type { SqliteStore } from '../../store/sqlite-store.ts'
import { JoinProgressTold, refusedJoin, within } from './first-join.ts'
import type { MachineLoad } from '../dns/machine-load.ts'
import type { KvPorts } from '../kv-ports.ts'
import type { Log } from '../log.ts'

export interface StoreLink {
  readonly writer: StoreWriter
  /** What this node is to others for key/value data. */
  readonly kvRole: KvRole
  /** Undefined where the log is kept in this program, or by a control plane. */
  readonly engine: StoreEngine | undefined
  /** The control plane that this node follows; undefined where it is one. */
  readonly follows: string | undefined
  /** Whether the replica has all that was in the log when this node joined; not where the log could not be heard then. */
  readonly isNewest: boolean
  /** Whether the log may have an id that this node does not know of yet. */
  mayBeBehind(id: number): boolean
  /** Whether the log that this replica is of can be heard; undefined where it is its own. */
  readonly isFollowing: (() => boolean) | undefined
  /** The replica has what is needed to serve: a new one has waited for the whole of it. */
  join(kv: KvPorts): Promise<void>
  /** From here on `onAdvanced` is told when others have written. */
  start(onAdvanced: () => void): void
  /** Asks the control plane that this node follows; undefined where it is one. */
  readonly askControl: ((path: string, body: unknown) => Promise<unknown>) | undefined
  /** What is to be added to this node's clock to have that of whoever writes the log: 0 where they agree to a moment, or where it is not known. */
  readonly clockOffMs: () => number
  /** What this node runs, for the control plane that it follows. */
  report(report: Omit<EdgeReport, 'name' | 'instance' | 'stored'>): void
  /** Another program follows from here on. */
  suspend(): void
  /** It did not come to. */
  resume(): void
  /** How all edges do, as the control plane that this node follows told it last; undefined where it is one, or was not told. */
  readonly edges: () => readonly DnsEdgeState[] | undefined
  /** This node ends in order. */
  leave(): Promise<void>
  close(): Promise<void>
}

export interface StoreLinkParts {
  readonly config: Config
  readonly directory: string
  readonly store: SqliteStore
  readonly secrets: RotatableSecrets
  readonly clock: Clock
  readonly log: Log
  readonly machine: MachineLoad
  /** Where the edge listens. */
  readonly addresses: readonly string[]
  /** How long a first join tries to reach the control plane, in milliseconds; without end unless said. */
  readonly joinTimeoutMs?: number | undefined
  /** This node has written, or read, what edges are to be told. */
  readonly onMoved: () => void
}

/** Clocks of two machines that differ by less agree. */
const CLOCK_OFF_MIN_MS = 2_000

/** Whose replica a file is that follows a control plane. */
const CONTROL = 'control'
/** One that has not all of its logs yet: it is no edge before. */
const JOINING = 'control, joining'

export async function openStoreLink(parts: StoreLinkParts): Promise<StoreLink> {
  const { store } = parts.config
  switch (store.kind) {
    case 'replica':
      return replicaLink(parts, store)
    case 'redis':
    case 'etcd':
      return engineLink(
        parts,
        await openEngine(store, { onWarning: (line) => parts.log.warn(`store: ${line}`) }),
      )
    default:
      return embeddedLink(parts)
  }
}

function embeddedLink({ store, clock, onMoved }: StoreLinkParts): StoreLink {
  const keeper = store.keeper()
  if (keeper !== undefined) {
    throw new EdgeError(
      'store-foreign',
      `${store.path} is a replica (of ${keeper}), and \`store.kind\` is "embedded"`,
      {
        hint: 'give the node a `store.path` of its own, or make the replica a store of its own with `orla store promote --path DIR`',
      },
    )
  }
  const log = embeddedLog(store)
  const catchUp = () => Promise.resolve()
  return {
    writer: storeWriter({ store, log, clock, catchUp, onAppended: onMoved }),
    kvRole: { kind: 'authority' },
    engine: undefined,
    follows: undefined,
    isNewest: true,
    mayBeBehind: () => false,
    isFollowing: undefined,
    askControl: undefined,
    clockOffMs: () => 0,
    join: () => Promise.resolve(),
    start: () => {},
    report: () => {},
    edges: () => undefined,
    suspend: () => {},
    resume: () => {},
    leave: () => Promise.resolve(),
    close: () => Promise.resolve(),
  }
}

/** Of an engine that is away, was emptied or damaged, or lets nobody in. */
const OUTAGES: readonly ErrorCode[] = [
  'store-unavailable',
  'store-diverged',
  'store-refused',
  'store-corrupt',
]

function engineLink({ store, clock, log: told, onMoved }: StoreLinkParts, engine: StoreEngine): StoreLink {
  const { kind: keeper } = engine
  let isNewest = false
  const log = engine.log(UNITS_LOG)
  const follower = new EngineFollower({
    store,
    log,
    keeper,
    random: Math.random,
    timers: systemTimers,
    onAdvanced: onMoved,
    onTrouble(message) {
      if (message === undefined) told.info(`the store at ${engine.address} answers again`)
      else told.warn(`the store at ${engine.address}: ${message}`)
    },
  })
  return {
    writer: storeWriter({
      store,
      log,
      clock,
      keeper,
      catchUp: () => follower.catchUp(),
      onAppended: onMoved,
    }),
    kvRole: {
      kind: 'shared',
      log: (bucket) => engine.log(kvLog(bucket)),
      onProblem: (error) => told.warn(`key/value data at ${engine.address}: ${error.message}`),
    },
    engine,
    follows: undefined,
    get isNewest() {
      return isNewest
    },
    mayBeBehind: (id) => follower.mayBeBehind(id),
    isFollowing: () => follower.isFollowing,
    askControl: undefined,
    clockOffMs: () => 0,
    async join() {
      const isNew = store.keeper() === undefined
      try {
        await follower.catchUp()
        isNewest = true
        if (store.keeper() !== keeper) store.keepFor(keeper)
      } catch (error) {
        // A replica is enough to serve, and to be followed; changes are taken once the engine is back.
        if (isNew || !(error instanceof EdgeError) || !OUTAGES.includes(error.code)) throw error
        told.warn(`the store at ${engine.address}: ${error.message}; what is in the data directory is served`)
      }
    },
    start: () => follower.start(),
    report: () => {},
    edges: () => undefined,
    suspend: () => follower.close(),
    resume: () => follower.start(),
    leave: () => Promise.resolve(),
    async close() {
      follower.close()
      await engine.close()
    },
  }
}

function replicaLink(parts: StoreLinkParts, config: ReplicaStoreConfig): StoreLink {
  const { store, log, secrets } = parts
  const { name = '', groups } = parts.config.node
  if (store.keeper() === undefined && store.position().id > 0) {
    throw new EdgeError(
      'store-foreign',
      `${store.path} is a store of its own, and \`store.kind\` is "replica"`,
      {
        hint: 'give this edge a `store.path` of its own, or move the directory away',
      },
    )
  }
  let isNew = store.keeper() !== CONTROL
  const instance = instanceOf(parts.directory)
  const isSteering = parts.config.dns !== undefined
  const about = { groups, addresses: parts.addresses, version: VERSION }
  const logs = new Map<string, FollowedLog>([
    [
      UNITS_LOG,
      {
        position: () => store.position(),
        apply: (entries) => void store.apply(entries),
        load: (position) => store.load(position, isNew ? JOINING : CONTROL),
      },
    ],
  ])
  let onAdvanced = () => {}
  let clockOff = 0
  let edges: readonly DnsEdgeState[] | undefined
  const joined = Promise.withResolvers<void>()
  const progress = new JoinProgressTold(log)
  const follower = new ControlFollower({
    controls: config.control,
    transport: httpTransport({ controls: config.control, token: () => tokenOf(config), ca: config.ca }),
    timers: systemTimers,
    load: () => parts.machine.load,
    hello: () => ({
      protocol: REPLICATION_PROTOCOL,
      name,
      instance,
      ...about,
      ...(isSteering && { isSteering }),
    }),
    logs,
    random: Math.random,
    async onKey(print, ask) {
      if (secrets.has() && secrets.print() === print) return
      const { key } = (await ask('GET', '/v1/edges/key')) as { key: string }
      secrets.adopt(key)
    },
    onAdvanced(changed) {
      if (changed === UNITS_LOG) onAdvanced()
    },
    onCaughtUp() {
      if (isNew) {
        store.keepFor(CONTROL)
        progress.joined(follower.control, name, store.position().id)
      }
      isNew = false
      joined.resolve()
    },
    onTime(now) {
      const off = now - parts.clock.now()
      // What a beat is on its way is no difference of clocks.
      const next = Math.abs(off) < CLOCK_OFF_MIN_MS ? 0 : off
      if (Math.abs(next - clockOff) < CLOCK_OFF_MIN_MS) return
      clockOff = next
      onAdvanced()
    },
    onEdges: (known) => (edges = known),
    onProgress(loaded) {
      if (isNew) progress.loaded(loaded)
    },
    onTrouble(error) {
      if (error && isNew) {
        // What does not pass by itself is told at once to whoever adds the edge, instead of trying for ever.
        if (isPassing(error)) progress.unreached(error)
        else joined.reject(refusedJoin(error))
      } else if (error) log.warn(`the control plane is not followed: ${error.message}; ${error.hint}`)
      else log.info(`the control plane ${follower.control} is followed again`)
    },
  })
  return {
    writer: refusingWriter(config.control[0]!),
    kvRole: {
      kind: 'edge',
      uplink: {
        send: async (batch) =>
          (await follower.ask('POST', '/v1/edges/kv', batch)) as readonly KvUplinkAnswer[],
      },
    },
    engine: undefined,
    follows: config.control[0],
    isNewest: false,
    mayBeBehind: () => true,
    isFollowing: () => follower.isConnected,
    askControl: (path, body) => follower.ask('POST', path, body),
    clockOffMs: () => clockOff,
    async join(kv) {
      parts.machine.onMoved = () => follower.tellLoad()
      for (const [name, followed] of followedLogs(kv.intake)) logs.set(name, followed)
      if (isNew) log.info(`joining ${follower.control} as ${name}`)
      follower.start()
      // What is on the disk is enough to serve; what is newer comes.
      if (isNew) await within(joined.promise, follower.control, parts.joinTimeoutMs)
    },
    start(listener) {
      onAdvanced = listener
      listener()
    },
    report: (report) => follower.report({ ...report, name, instance, about, stored: store.position() }),
    edges: () => edges,
    suspend: () => follower.close(),
    resume: () => follower.start(),
    leave: () => follower.leave(),
    close: async () => follower.close(),
  }
}

/** Tells this data directory from others, also after the name of its edge was given to another one. */
export function instanceOf(directory: string): string {
  const path = join(directory, 'instance')
  if (!existsSync(path)) writeSecretFile(path, randomBytes(16).toString('hex'))
  return readFileSync(path, 'utf8').trim()
}

/** Read anew each time, as it may be rotated. */
function tokenOf({ token, tokenFile }: ReplicaStoreConfig): string {
  if (token !== undefined) return token
  if (tokenFile === undefined) {
    throw new EdgeError('config-invalid', 'store.token: missing; expected a token with the role `edge`', {
      hint: 'make one at the control plane with `orla tokens new NAME --role edge`',
    })
  }
  try {
    return readFileSync(tokenFile, 'utf8').trim()
  } catch (error) {
    throw new EdgeError('file-unreadable', `store.tokenFile: ${(error as Error).message}`, { cause: error })
  }
}
