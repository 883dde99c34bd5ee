/** What a server says of itself (`INFO`), as far as an engine needs it. */

export interface ServerInfo {
  readonly version: string
  readonly isCluster: boolean
  readonly role: 'master' | 'replica'
  /** Of a replica: its master. */
  readonly master?: string | undefined
  /** Bytes of replication that it has written, or taken. */
  readonly offset: number
  readonly replicas: readonly {
    readonly address: string
    readonly isOnline: boolean
    readonly offset: number
  }[]
  readonly evictionPolicy: string
  readonly hasAppendOnlyFile: boolean
  readonly memoryBytes: number
  /** 0 for no limit. */
  readonly memoryBytesMax: number
  readonly isLoading: boolean
  readonly hasSaved: boolean
}

/** Undefined where it is no answer of Redis. */
export function parseInfo(text: string): ServerInfo | undefined {
  const fields = fieldsOf(text)
  const version = fields.get('valkey_version') ?? fields.get('redis_version')
  if (version === undefined) return undefined
  const number = (name: string) => Number(fields.get(name) ?? 0)
  const isReplica = fields.get('role') === 'slave'
  return {
    version,
    isCluster: fields.get('cluster_enabled') === '1',
    role: isReplica ? 'replica' : 'master',
    ...(isReplica && { master: `${fields.get('master_host')}:${fields.get('master_port')}` }),
    offset: isReplica ? number('slave_repl_offset') : number('master_repl_offset'),
    replicas: [...fields].filter(([name]) => /^slave\d+$/.test(name)).map(([, value]) => replicaOf(value)),
    evictionPolicy: fields.get('maxmemory_policy') ?? '',
    hasAppendOnlyFile: fields.get('aof_enabled') === '1',
    memoryBytes: number('used_memory'),
    memoryBytesMax: number('maxmemory'),
    isLoading: number('loading') === 1,
    hasSaved: fields.get('rdb_last_bgsave_status') !== 'err' && fields.get('aof_last_write_status') !== 'err',
  }
}

/** `ip=127.0.0.1,port=7001,state=online,offset=14,lag=1`. */
function replicaOf(text: string) {
  const parts = new Map(text.split(',').map((part) => cut(part, '=')))
  return {
    address: `${parts.get('ip')}:${parts.get('port')}`,
    isOnline: parts.get('state') === 'online',
    offset: Number(parts.get('offset')),
  }
}

/** `name:value` lines, as `INFO` and `CLUSTER INFO` have them. */
export const fieldsOf = (text: string): ReadonlyMap<string, string> =>
  new Map(
    text
      .split(/\r?\n/)
      .filter((line) => line.includes(':'))
      .map((line) => cut(line, ':')),
  )

function cut(text: string, at: string): readonly [string, string] {
  const index = text.indexOf(at)
  return index < 0 ? [text, ''] : [text.slice(0, index), text.slice(index + 1)]
}
