/** The scripts by a clock that a test holds in its hand, as their last argument; and since that is not the clock of Redis, keys stay. */
import assert from 'node:assert/strict'
import type { Script } from './scripts.ts'

export function timed({ text }: Script): string {
  const time = /^[^]*?local now = [^\n]*\n/.exec(text)?.[0] ?? ''
  assert.ok(time.includes("redis.call('TIME')"))
  return text
    .replace(time, 'local now = tonumber(ARGV[#ARGV])\n')
    .replace(", 'PX', whole(ttl))", ')')
    .replace("redis.call('PEXPIRE', key, whole(full))", "redis.call('PERSIST', key)")
    .replace("redis.call('PEXPIRE', KEYS[1], ARGV[2])", '')
}
