/** Where the store is kept: in this program, in Redis or etcd behind a control plane, or at a control plane that this edge follows. */
import * as v from 'valibot'
import { count, duration } from './units.ts'

/** Of this node, whatever keeps the store: its replica, key/value data, keys and the lock. */
const Local = {
  /** A directory, from the configuration file's own. Holds the log or the replica of it, key/value data, keys, and the lock. */
  path: v.optional(v.pipe(v.string(), v.minLength(1, 'expected a directory')), './data'),
  /** How much of the log is kept here, for edges that come back and for a look at the past; the state is always there. */
  log: v.optional(
    v.strictObject({
      /** Entries that are kept whoever needs them. */
      keep: v.optional(count(10_000_000), 10_000),
      /** Entries that are kept at most, for edges that are known and lag behind. One that lags further takes a snapshot. */
      keepForEdges: v.optional(count(10_000_000), 100_000),
    }),
    {},
  ),
} as const

const url = (protocols: readonly string[], example: string) => {
  const expected = `expected a URL such as "${example}"`
  return v.pipe(
    v.string(expected),
    v.check(
      (text) =>
        URL.canParse(text) && protocols.includes(new URL(text).protocol) && new URL(text).hostname !== '',
      expected,
    ),
  )
}

const list = <T extends v.GenericSchema<string, string>>(one: T, example: string) =>
  v.union(
    [
      v.pipe(
        one,
        v.transform((single): string[] => [single]),
      ),
      v.pipe(v.array(one), v.minLength(1, `expected at least one, such as ${example}`)),
    ],
    `expected ${example}, or a list of them`,
  )

const Embedded = v.strictObject({
  /** SQLite in this program; nothing to install. */
  kind: v.optional(v.literal('embedded'), 'embedded'),
  ...Local,
})

export const TlsFiles = v.strictObject({
  /** Path of a PEM file with the authorities to trust instead of the public ones. */
  ca: v.optional(v.string()),
  /** Path of a PEM file with the certificate to show. */
  cert: v.optional(v.string()),
  /** Path of a PEM file with its key. */
  key: v.optional(v.string()),
})

/** One server, or a list of them. */
export const redisUrls = list(url(['redis:', 'rediss:'], 'redis://10.0.0.7:6379'), '"redis://10.0.0.7:6379"')

const Redis = v.strictObject({
  /** Redis or Valkey, one server or a Cluster. */
  kind: v.literal('redis'),
  /** One server, or some of a Cluster's, which names the others. User and password stand in it, or in `username` and `password`. */
  url: redisUrls,
  /** Whether it is a Cluster; found out where it is not said. */
  cluster: v.optional(v.boolean()),
  /** Of the server's access control. */
  username: v.optional(v.string()),
  /** The user's; without `username` that of the default user. */
  password: v.optional(v.string()),
  tls: v.optional(TlsFiles),
  /** What all keys of this store start with: stores with different prefixes share a Redis. */
  prefix: v.optional(
    v.pipe(v.string(), v.regex(/^[A-Za-z0-9:._-]{1,64}$/, 'expected letters, digits, ":._-"')),
    'orla',
  ),
  /** Replicas that have to have a change before it counts as stored (`WAIT`); 0: the master alone. */
  waitReplicas: v.optional(count(10, 0), 0),
  /** How long an answer is waited for. */
  timeout: v.optional(duration(), '5s'),
  ...Local,
})

const Etcd = v.strictObject({
  /** etcd 3.4 or later, over its HTTP gateway. */
  kind: v.literal('etcd'),
  /** Its members. */
  url: list(url(['http:', 'https:'], 'http://10.0.0.7:2379'), '"http://10.0.0.7:2379"'),
  /** Of the server's access control. */
  username: v.optional(v.string()),
  /** The user's. */
  password: v.optional(v.string()),
  tls: v.optional(TlsFiles),
  /** What all keys of this store start with. */
  prefix: v.optional(
    v.pipe(v.string(), v.regex(/^[A-Za-z0-9:._/-]{1,64}$/, 'expected letters, digits, ":._/-"')),
    'orla',
  ),
  /** How long an answer is waited for. */
  timeout: v.optional(duration(), '5s'),
  ...Local,
})

const Replica = v.strictObject({
  /** This node is an edge of a control plane, and follows what is changed there. */
  kind: v.literal('replica'),
  /** The control plane, and others on the same engine that may take its place. */
  control: list(url(['http:', 'https:'], 'http://10.0.0.5:8081'), '"http://10.0.0.5:8081"'),
  /** A token with the role `edge`: `orla tokens new NAME --role edge`. */
  token: v.optional(
    v.pipe(v.string(), v.regex(/^[\x21-\x7e]+$/, 'expected visible ASCII characters without spaces')),
  ),
  /** Path of a file with the token, instead of `token`. */
  tokenFile: v.optional(v.string()),
  /** Path of a PEM file with the authorities to trust instead of the public ones, where the control plane speaks HTTPS. */
  ca: v.optional(v.string()),
  ...Local,
})

/** `kind` tells them apart; without one it is the embedded store. */
export const StoreSchema = v.variant(
  'kind',
  [Embedded, Redis, Etcd, Replica],
  'expected "embedded", "redis", "etcd" or "replica"',
)

export type StoreConfig = v.InferOutput<typeof StoreSchema>
export type RedisStoreConfig = Extract<StoreConfig, { kind: 'redis' }>
export type EtcdStoreConfig = Extract<StoreConfig, { kind: 'etcd' }>
export type ReplicaStoreConfig = Extract<StoreConfig, { kind: 'replica' }>
