/** How the servers are, as `orla store status` shows it. */
import type { RedisStoreConfig } from '../../../config/store-schema.ts'
import type { EngineMember, EngineStatus } from '../../../contract/shared-log.ts'
import { askInfo, type Connection, type Connections } from './connections.ts'
import { type ClusterNode, parseNodes, problemOfCluster } from './cluster-nodes.ts'
import { failureOf } from './failure.ts'
import type { Router } from './router.ts'
import { fieldsOf, type ServerInfo } from './server-info.ts'

/** Never throws. Asks servers one after the other until one answers; those that it names on the way are asked, too. */
export async function statusOf(
  connections: Connections,
  router: Router,
  config: RedisStoreConfig,
): Promise<EngineStatus> {
  const deadline = performance.now() + config.timeout
  let problem = 'no server was asked'
  for (const address of router.known) {
    const leftMs = deadline - performance.now()
    if (leftMs <= 0) break
    try {
      const connection = await connections.to(address, 'read', leftMs / 2)
      const info = await askInfo(connection, leftMs / 2)
      if (info === undefined) {
        problem = `${address}: the user may not ask for INFO`
        continue
      }
      const status = info.isCluster ? clusterStatus : singleStatus
      return await status({ connection, info, connections, config, leftMs })
    } catch (error) {
      const failure = failureOf(error, address)
      problem = failure.kind === 'refused' ? failure.error.message : failure.problem
    }
  }
  return { kind: 'redis', isHealthy: false, problem, members: [] }
}

interface Asked {
  readonly connection: Connection
  readonly info: ServerInfo
  readonly connections: Connections
  readonly config: RedisStoreConfig
  readonly leftMs: number
}

async function singleStatus({ connection, info, config }: Asked): Promise<EngineStatus> {
  const { address } = connection
  const problem = problemOf(info, config.waitReplicas)
  const master: EngineMember = {
    name: address,
    address,
    role: 'master',
    isHealthy: problem === undefined,
    note: memoryNote(info),
  }
  const replicas = info.replicas.map((replica): EngineMember => ({
    name: replica.address,
    address: replica.address,
    role: 'replica',
    isHealthy: replica.isOnline,
    lag: Math.max(info.offset - replica.offset, 0),
  }))
  return {
    kind: 'redis',
    version: info.version,
    isHealthy: problem === undefined,
    problem,
    members: [master, ...replicas],
  }
}

async function clusterStatus(asked: Asked): Promise<EngineStatus> {
  const { connection, connections, config, leftMs } = asked
  const [about, nodesText] = await Promise.all([
    connection.ask(['CLUSTER', 'INFO'], leftMs / 2),
    connection.ask(['CLUSTER', 'NODES'], leftMs / 2),
  ])
  const fields = fieldsOf(String(about))
  const nodes = parseNodes(String(nodesText))
  const masters = nodes.filter(({ role, isHealthy }) => role === 'master' && isHealthy)
  const infos = new Map(
    await Promise.all(
      masters.map(async ({ address }) => [address, await infoOf(connections, address, leftMs / 2)] as const),
    ),
  )
  const problem = problemOfCluster(fields, nodes) ?? problemOfMasters(masters, infos, config.waitReplicas)
  return {
    kind: 'redis',
    version: asked.info.version,
    isHealthy: problem === undefined,
    problem,
    term: Number(fields.get('cluster_current_epoch') ?? 0),
    members: nodes.map((node) => memberOf(node, nodes, infos)),
  }
}

async function infoOf(connections: Connections, address: string, timeoutMs: number) {
  try {
    return await askInfo(await connections.to(address, 'read', timeoutMs), timeoutMs)
  } catch {
    return undefined
  }
}

function problemOfMasters(
  masters: readonly ClusterNode[],
  infos: ReadonlyMap<string, ServerInfo | undefined>,
  waitReplicas: number,
): string | undefined {
  for (const { address, slots } of masters) {
    if (slots === '') continue
    const info = infos.get(address)
    const problem = info === undefined ? 'it does not answer' : problemOf(info, waitReplicas)
    if (problem !== undefined) return `${address}: ${problem}`
  }
  return undefined
}

function memberOf(
  node: ClusterNode,
  nodes: readonly ClusterNode[],
  infos: ReadonlyMap<string, ServerInfo | undefined>,
): EngineMember {
  const { name, address, role } = node
  if (role === 'master') {
    const isHealthy = node.isHealthy && infos.get(address) !== undefined
    return { name, address, role, isHealthy, note: node.slots === '' ? 'no slots' : `slots ${node.slots}` }
  }
  const master = nodes.find(({ id }) => id === node.masterId)
  const info = master && infos.get(master.address)
  const there = info?.replicas.find((replica) => replica.address === address)
  return {
    name,
    address,
    role,
    isHealthy: node.isHealthy && (info === undefined || there?.isOnline === true),
    note: master && `of ${master.name}`,
    ...(info !== undefined && there !== undefined && { lag: Math.max(info.offset - there.offset, 0) }),
  }
}

/** Why a master takes no writes, or does not count them as stored. */
function problemOf(info: ServerInfo, waitReplicas: number): string | undefined {
  if (info.isLoading) return 'it loads its data'
  if (info.role === 'replica') return `it is a replica of ${info.master}`
  if (info.memoryBytesMax > 0 && info.memoryBytes >= info.memoryBytesMax)
    return 'its memory is full (maxmemory)'
  if (!info.hasSaved) return 'it could not write to its disk'
  const online = info.replicas.filter(({ isOnline }) => isOnline).length
  if (online < waitReplicas) return `${online} replicas are online, and a change waits for ${waitReplicas}`
  return undefined
}

const memoryNote = ({ memoryBytes, memoryBytesMax }: ServerInfo): string => {
  const megabytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`
  const limit = memoryBytesMax > 0 ? ` of ${megabytes(memoryBytesMax)}` : ''
  return `memory ${megabytes(memoryBytes)}${limit}`
}
