/**
 * The engine on Redis or Valkey: one server, with replicas or without, or a Cluster.
 *
 * What it promises is what Redis does: an append is one step on the master, and is copied to replicas afterwards. A master that dies can take
 * with it what it acknowledged; `waitReplicas` makes that rare and not impossible. See docs/concepts/engines.md.
 */
import { EdgeError } from '../../../base/errors.ts'
import type { RedisCredentials } from '../../../base/redis-client.ts'
import { hostOf } from '../../../base/server-address.ts'
import { readTlsFiles } from '../../../base/tls-files.ts'
import { redisAddress, type RedisAddress } from '../../../config/redis-address.ts'
import type { RedisStoreConfig } from '../../../config/store-schema.ts'
import type { SharedLog, StoreEngine } from '../../../contract/shared-log.ts'
import { ChangeWatch } from './change-watch.ts'
import { type Connection, Connections, type Reply } from './connections.ts'
import { RedisLog } from './redis-log.ts'
import { Router } from './router.ts'
import { statusOf } from './status.ts'

const POLL_MS = 1000
/** The first that trims a stream by id. */
const VERSION_MIN = [6, 2] as const

export interface RedisEngineOptions {
  /** Called once for each way in which Redis is set up so that it may lose what was acknowledged. */
  readonly onWarning?: ((message: string) => void) | undefined
}

/** Connects when first asked. Throws `file-unreadable` where a file of `tls` cannot be read. */
export function openRedisEngine(config: RedisStoreConfig, options: RedisEngineOptions = {}): StoreEngine {
  const addresses = config.url.map(redisAddress)
  const warned = new Set<string>()
  const warn = (about: string, message: string): void => {
    if (warned.has(about)) return
    warned.add(about)
    options.onWarning?.(message)
  }
  const connections = new Connections(credentialsOf(config, addresses), async (connection, timeoutMs) => {
    check(connection, config, warn)
    if (connection.info?.isCluster === true) router.learn(await clusterAddresses(connection, timeoutMs))
  })
  const router = new Router(
    connections,
    addresses.map(({ host, port }) => `${host}:${port}`),
    config.timeout,
  )
  const channel = `${config.prefix}:changed`
  const changes = new ChangeWatch(connections, router, {
    channel,
    timeoutMs: config.timeout,
    pollMs: POLL_MS,
    look: (log) =>
      router.run(log, 'read', async (server) =>
        JSON.stringify(await server.ask(['HMGET', `{${config.prefix}:${log}}:head`, 'log', 'id', 'hash'])),
      ),
  })
  const logs = new Map<string, SharedLog>()

  return {
    kind: 'redis',
    address: config.url.map(withoutUser).join(','),
    log(name) {
      const there = logs.get(name)
      if (there !== undefined) return there
      const watch = (onChange: () => void) => changes.watch(name, onChange)
      const { prefix, waitReplicas } = config
      const log = new RedisLog(name, router, { prefix, waitReplicas, channel, watch })
      logs.set(name, log)
      return log
    },
    status: () => statusOf(connections, router, config),
    async close() {
      changes.close()
      connections.close()
    },
  }
}

/** Throws where this server is not the one to ask: then another is. */
function check(
  { address, info }: Connection,
  config: RedisStoreConfig,
  warn: (about: string, message: string) => void,
): void {
  if (info === undefined) return
  if (config.cluster !== undefined && config.cluster !== info.isCluster) {
    const found = info.isCluster ? 'is a Cluster' : 'is no Cluster'
    throw new EdgeError(
      'store-refused',
      `Redis at ${address} ${found}, and \`store.cluster\` says otherwise`,
      {
        hint: 'leave `store.cluster` out: it is found out',
      },
    )
  }
  const [major = 0, minor = 0] = info.version.split('.').map(Number)
  if (major < VERSION_MIN[0] || (major === VERSION_MIN[0] && minor < VERSION_MIN[1])) {
    throw new EdgeError('store-refused', `Redis at ${address} is version ${info.version}`, {
      hint: `take Redis ${VERSION_MIN.join('.')} or later, or Valkey`,
    })
  }
  // A replica of a Cluster says itself where to go.
  if (!info.isCluster && info.role === 'replica') {
    throw new Error(`it is a replica of ${info.master}, and the log is at its master`)
  }
  if (info.evictionPolicy.startsWith('allkeys-')) {
    warn(
      'eviction',
      `Redis at ${address} throws keys away when its memory is full (maxmemory-policy ${info.evictionPolicy}): set it to noeviction`,
    )
  }
  if (!info.hasAppendOnlyFile) {
    warn(
      'appendonly',
      `Redis at ${address} keeps no append-only file: what it acknowledged is lost with its process; set appendonly yes`,
    )
  }
}

/** Servers of a Cluster as it names them: each row is a range of slots, then servers as `[host, port, …]`. */
async function clusterAddresses(connection: Connection, timeoutMs: number): Promise<string[]> {
  const isList = (reply: Reply | undefined): reply is readonly Reply[] => Array.isArray(reply)
  const rows = await connection.ask(['CLUSTER', 'SLOTS'], timeoutMs)
  const servers = isList(rows) ? rows.filter(isList).flatMap((row) => row.slice(2).filter(isList)) : []
  return servers.map(([host, port]) => {
    const isNamed = typeof host === 'string' && host !== '' && host !== '?'
    return `${isNamed ? host : hostOf(connection.address)}:${String(port)}`
  })
}

function withoutUser(text: string): string {
  const { protocol, host } = new URL(text)
  return `${protocol}//${host}`
}

/** What stands in `store` wins over what stands in its first URL. */
function credentialsOf(config: RedisStoreConfig, addresses: readonly RedisAddress[]): RedisCredentials {
  const { username, password, database } = addresses[0]!
  const isTls = config.tls !== undefined || addresses.some((address) => address.isTls)
  return {
    username: config.username ?? username,
    password: config.password ?? password,
    database: database > 0 ? database : undefined,
    tls: isTls ? readTlsFiles('store.tls', config.tls ?? {}) : undefined,
  }
}
