/** Where units are taken from, beside the control plane. */
import * as v from 'valibot'
import { redisUrls, TlsFiles } from './store-schema.ts'
import { duration } from './units.ts'

const NAME_EXPECTED =
  'expected a name such as "legacy": letters, digits, ".", "_", ":", "/" and "-", at most 128'

const SECONDS_EXPECTED = 'expected a number of seconds from 0.1 to 86400'
const seconds = () =>
  v.pipe(v.number(SECONDS_EXPECTED), v.minValue(0.1, SECONDS_EXPECTED), v.maxValue(86_400, SECONDS_EXPECTED))

export const RedisSource = v.strictObject({
  /** Redis or Valkey, one server or a Cluster, with units as strings `phase||code` whose names stand in a set. */
  kind: v.literal('redis', 'expected "redis"'),
  /** How the source is called in `orla sources`, and in the units that came from it. Where none is given: host, port and set. */
  name: v.optional(v.pipe(v.string(NAME_EXPECTED), v.regex(/^[A-Za-z0-9._:/-]{1,128}$/, NAME_EXPECTED))),
  /** `redis://HOST:PORT`, `rediss://` over TLS, with `/NUMBER` for another database; or some of a Cluster's servers. User and password stand in it, or below. */
  url: redisUrls,
  /** The set with the names of units, or the sorted set, whose scores are the order. */
  set: v.optional(v.pipe(v.string(), v.minLength(1, 'expected the name of a key')), 'coding_units'),
  /** How often it is read; up to a quarter more, so that nodes do not come together. */
  everySeconds: v.optional(seconds(), 20),
  /** What happens to a request when such a unit fails, where the unit does not say so itself. */
  onError: v.optional(
    v.picklist(['closed', 'open', 'lastGood'], 'expected "closed", "open" or "lastGood"'),
    'open',
  ),
  /** Whether it is a Cluster; found out where it is not said. */
  cluster: v.optional(v.boolean()),
  /** Of the server's access control. */
  username: v.optional(v.string()),
  /** The user's; without `username` that of the default user. */
  password: v.optional(v.string()),
  /** For `rediss://`. */
  tls: v.optional(TlsFiles),
  /** How long a connection and an answer are waited for. */
  timeout: v.optional(duration(), '5s'),
})

export type SourceConfig = v.InferOutput<typeof RedisSource>
