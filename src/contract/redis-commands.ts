/**
 * The commands of Redis that a unit may give by its `redis_client`, and what each does to whoever runs the unit again after a crash.
 *
 * Everything that reads or writes the values of keys. Absent is what reaches beyond them: scripts, configuration, other clients, all keys at once (`KEYS`, `FLUSHALL`, `SCAN`), and
 * whatever waits or goes on (`BLPOP`, `SUBSCRIBE`), since one connection of a worker serves all units of a source.
 */
const READS =
  'get getrange strlen mget exists ttl pttl type hget hexists hgetall hkeys hvals hlen hmget hstrlen smembers sismember smismember scard srandmember sinter sunion sdiff zrange zrangebyscore zrevrange zrevrangebyscore zscore zmscore zcard zcount zrank zrevrank lrange llen lindex lpos getbit bitcount pfcount'
const WRITES =
  'set setex psetex setnx getset getdel getex append setrange mset msetnx incr incrby incrbyfloat decr decrby del unlink expire pexpire expireat pexpireat persist touch hset hsetnx hmset hdel hincrby hincrbyfloat sadd srem spop smove zadd zrem zincrby zpopmin zpopmax zremrangebyscore zremrangebyrank lpush rpush lpushx rpushx lpop rpop lset lrem ltrim linsert setbit pfadd'

/** `false`: it only reads, and may be given again. By name, in lower case. */
export const REDIS_COMMANDS: ReadonlyMap<string, boolean> = new Map([
  ...READS.split(' ').map((name) => [name, false] as const),
  ...WRITES.split(' ').map((name) => [name, true] as const),
])
