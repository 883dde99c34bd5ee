/** What `orla store status` says of an etcd: each member as it sees itself, and whether all together take writes. */
import type { EngineMember, EngineStatus } from '../../../contract/shared-log.ts'
import type { Answer, Gateway } from './gateway.ts'
import { range, transact, endOf } from './kv.ts'
import { headsPrefix } from './records.ts'

/** A member of the cluster's list, or an address of the configuration that answered nothing and is in no list. */
interface Listed {
  readonly id?: string
  readonly name: string
  readonly url: URL
  readonly isLearner: boolean
}

interface Asked extends Listed {
  readonly status: Answer | undefined
  readonly problem: string | undefined
}

export async function etcdStatus(gateway: Gateway, prefix: string): Promise<EngineStatus> {
  const heads = headsPrefix(prefix)
  const [asked, problem] = await Promise.all([
    askAll(gateway),
    // A read that goes to the quorum: where it does not answer, no write does.
    transact(gateway, { success: [range(heads, endOf(heads), 1)] }).then(() => undefined, messageOf),
  ])
  const states = asked.map(({ status }) => status).filter((status) => status !== undefined)
  const term = Math.max(...states.map((one) => Number(one['raftTerm'])))
  const leader = states.find((one) => Number(one['raftTerm']) === term && idOf(one) === one['leader'])
  const full = states.some((one) => JSON.stringify(one['errors'] ?? '').includes('NOSPACE'))
    ? 'the database of etcd is full (alarm NOSPACE): compact and defragment it, then `etcdctl alarm disarm`'
    : undefined
  return {
    kind: 'etcd',
    version: textOf((leader ?? states[0])?.['version']),
    isHealthy: problem === undefined && full === undefined,
    problem: problem ?? full,
    term: Number.isFinite(term) ? term : undefined,
    members: asked
      .map((member) => rowOf(member, leader))
      .toSorted((one, other) => (one.name < other.name ? -1 : 1)),
  }
}

async function askAll(gateway: Gateway): Promise<readonly Asked[]> {
  const configured = await Promise.all(
    gateway.urls.map((url) => ask(gateway, { name: url.host, url, isLearner: false })),
  )
  const list = await membersOf(
    gateway,
    configured.find(({ status }) => status !== undefined),
  )
  if (list.length === 0) return configured
  const rest = [...configured]
  const members = await Promise.all(
    list.map(async (member) => {
      const at = rest.findIndex(
        ({ status, url }) =>
          (status !== undefined && idOf(status) === member.id) || url.origin === member.url.origin,
      )
      const [found] = at < 0 ? [] : rest.splice(at, 1)
      // Its own address is of use to people who look for it; the one in the configuration is known to lead there.
      return found === undefined ? ask(gateway, member) : { ...found, ...member, url: found.url }
    }),
  )
  // Those that answer are of the list; two addresses may be one member's.
  return [...members, ...rest.filter(({ status }) => status === undefined)]
}

async function membersOf(gateway: Gateway, through: Asked | undefined): Promise<readonly Listed[]> {
  if (through === undefined) return []
  try {
    const { members } = await gateway.askMember(through.url, '/v3/cluster/member/list', {})
    return (members as Answer[]).map(({ ID, name, clientURLs, isLearner }) => ({
      id: String(ID),
      // One that never started has neither.
      name: textOf(name) ?? String(ID),
      url: new URL(Array.isArray(clientURLs) && clientURLs.length > 0 ? String(clientURLs[0]) : through.url),
      isLearner: isLearner === true,
    }))
  } catch {
    // Then those of the configuration are all that is known.
    return []
  }
}

async function ask(gateway: Gateway, member: Listed): Promise<Asked> {
  try {
    const status = await gateway.askMember(member.url, '/v3/maintenance/status', {})
    return { ...member, status, problem: undefined }
  } catch (error) {
    return { ...member, status: undefined, problem: messageOf(error) }
  }
}

function rowOf({ name, url, isLearner, status, problem }: Asked, leader: Answer | undefined): EngineMember {
  const isLeader = status !== undefined && leader !== undefined && idOf(status) === idOf(leader)
  const behind =
    status === undefined || leader === undefined || isLeader
      ? undefined
      : Math.max(0, Number(leader['raftIndex']) - Number(status['raftAppliedIndex']))
  const errors = status?.['errors'] === undefined ? '' : `${JSON.stringify(status['errors'])}, `
  return {
    name,
    address: url.host,
    role: isLeader ? 'leader' : isLearner ? 'learner' : 'follower',
    // One without a leader answers, and is of no use.
    isHealthy: status !== undefined && status['leader'] !== undefined && errors === '',
    note: status === undefined ? problem : `${errors}database ${sizes(status)}`,
    lag: behind,
  }
}

const sizes = ({ dbSize, dbSizeInUse }: Answer): string =>
  `${megabytes(dbSize)} MB, ${megabytes(dbSizeInUse)} MB of it in use`
const megabytes = (bytes: unknown): string => (Number(bytes ?? 0) / 1e6).toFixed(1)

const idOf = (status: Answer): unknown => (status['header'] as Answer)['member_id']
const textOf = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined
const messageOf = (error: unknown): string => (error as Error).message
