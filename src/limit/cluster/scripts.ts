/**
 * How Redis decides, in one piece: scripts, for only they read, compare and write at once.
 *
 * A key holds what the algorithms of `limit/algorithms` keep, as whole numbers in text, and they decide alike: a test asks both the same. Time is
 * Redis' own, so that nodes need not agree on it. Each key goes by itself once it says no more than one that was never written.
 *
 * What is left out on purpose: a clock that is set back by up to ten seconds stands still until it has caught up, and one that is set
 * back further (another server took over) goes on from there, as in `algorithms/moment.ts`.
 */
import { createHash } from 'node:crypto'
import type { AlgorithmName } from '../../base/rate.ts'

export interface Script {
  readonly text: string
  readonly sha: string
}

const script = (text: string): Script => ({ text, sha: createHash('sha1').update(text).digest('hex') })

/** Of Redis: whole milliseconds since 1970. */
const REDIS_TIME = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
`

/**
 * `a` is one way to count. `read` tells what a key's state says now; the others work on that. `room` is what may still be taken, `take` takes, whether
 * there is room or not; `wait` is how long until there is room for so much, -1 for never; `full` until all is there again;
 * `write` puts it away, and `still` how long what was set aside now is good for, -1 for as long as one likes.
 *
 * A level is five numbers: the units that are allowed at once, the milliseconds of the window, parts of a unit and those that come back in a
 * millisecond, and whether a new key starts as if its window before had been full. A state may stand above what is allowed by what was given
 * before it was known that there is no more: by a tenth, at most.
 */
const COMMON = `
local floor, ceil, max, min = math.floor, math.ceil, math.max, math.min
local STEP_BACK = 10000
local whole = function(n) return string.format('%.0f', n) end
local put = function(key, ttl, text)
  if ttl > 0 then redis.call('SET', key, text, 'PX', whole(ttl)) else redis.call('DEL', key) end
end
local startOf = function(window) return now - now % window end
local isLeft = function(start, window) return not (now < start + window and now >= start - STEP_BACK) end
local level = function(i, first)
  local at = first + (i - 1) * 5
  return {
    full = tonumber(ARGV[at]), window = tonumber(ARGV[at + 1]), unit = tonumber(ARGV[at + 2]),
    perMs = tonumber(ARGV[at + 3]), flags = tonumber(ARGV[at + 4]),
  }
end
local a
`

const BUCKET = `
a = {
  read = function(key, l)
    local s = { at = now, missing = 0 }
    local text = redis.call('GET', key)
    if text then
      local at, missing = string.match(text, '^(%d+) (%d+)$')
      s.isMended = not at or at - now > STEP_BACK
      at, missing = tonumber(at) or now, tonumber(missing) or l.full * l.unit
      missing = min(missing, floor(l.full * 1.1) * l.unit)
      if now > at then missing = max(0, missing - (now - at) * l.perMs)
      elseif at - now <= STEP_BACK then s.at = at end
      s.missing = missing
    end
    return s
  end,
  room = function(s, l) return max(0, floor((l.full * l.unit - s.missing) / l.unit)) end,
  take = function(s, l, cost) s.missing = s.missing + cost * l.unit end,
  wait = function(s, l, cost)
    if cost > l.full then return -1 end
    return max(0, ceil((s.missing + (cost - l.full) * l.unit) / l.perMs) + s.at - now)
  end,
  full = function(s, l) return s.missing == 0 and 0 or ceil(s.missing / l.perMs) + s.at - now end,
  write = function(key, s, l, full) put(key, full, whole(s.at) .. ' ' .. whole(s.missing)) end,
  still = function(s, l) return -1 end,
  back = function(s, l, units, at)
    local left = units * l.unit - max(0, now - at) * l.perMs
    if at <= now and left > 0 then s.missing = max(0, s.missing - left) end
  end,
}
`

const FIXED = `
a = {
  read = function(key, l)
    local s = { start = startOf(l.window), given = 0 }
    local text = redis.call('GET', key)
    if text then
      local start, given = string.match(text, '^(%d+) (%d+)$')
      s.isMended = not start or start - now > STEP_BACK
      start, given = tonumber(start) or now, tonumber(given) or l.full
      if now < start + l.window then s.given = min(given, floor(l.full * 1.1)) end
      if not isLeft(start, l.window) then s.start = start end
    end
    return s
  end,
  room = function(s, l) return max(0, l.full - s.given) end,
  take = function(s, l, cost) s.given = s.given + cost end,
  wait = function(s, l, cost)
    if cost > l.full then return -1 end
    if s.given + cost <= l.full then return 0 end
    return s.start + l.window - now
  end,
  full = function(s, l) return s.given == 0 and 0 or s.start + l.window - now end,
  write = function(key, s, l, full) put(key, full, whole(s.start) .. ' ' .. whole(s.given)) end,
  still = function(s, l) return s.start + l.window - now end,
  back = function(s, l, units, at) if at >= s.start and at <= now then s.given = max(0, s.given - units) end end,
}
`

const SLIDING = `
a = {
  read = function(key, l)
    local s = { start = startOf(l.window), current = 0, previous = 0 }
    local text = redis.call('GET', key)
    if not text then
      if l.flags == 1 then s.previous = l.full end
      return s
    end
    local start, current, previous = string.match(text, '^(%d+) (%d+) (%d+)$')
    s.isMended = not start or start - now > STEP_BACK
    start, current, previous = tonumber(start) or now, tonumber(current) or l.full, tonumber(previous) or l.full
    s.current, s.previous = min(current, floor(l.full * 1.1)), min(previous, floor(l.full * 1.1))
    if not isLeft(start, l.window) then s.start = start
    elseif now >= start + l.window then
      s.previous = now < start + 2 * l.window and s.current or 0
      s.current = 0
    end
    return s
  end,
  room = function(s, l)
    local share = s.previous - floor(s.previous * max(0, now - s.start) / l.window)
    return max(0, min(l.full + 1 - share, l.full) - s.current)
  end,
  take = function(s, l, cost) s.current = s.current + cost end,
  elapsed = function(l, previous, share)
    if previous <= share then return 0 end
    return l.window - floor(share * l.window / previous)
  end,
  wait = function(s, l, cost)
    if cost > l.full then return -1 end
    local start = s.start - now
    if s.current + cost <= l.full then
      local elapsed = a.elapsed(l, s.previous, l.full + 1 - cost - s.current)
      if elapsed == 0 then return 0 end
      if elapsed < l.window then return max(0, start + elapsed) end
    end
    return start + l.window + a.elapsed(l, s.current, l.full + 1 - cost)
  end,
  full = function(s, l) return a.wait(s, l, l.full) end,
  write = function(key, s, l)
    put(key, s.start + 2 * l.window - now, whole(s.start) .. ' ' .. whole(s.current) .. ' ' .. whole(s.previous))
  end,
  still = function(s, l) return s.start + l.window - now end,
  back = function(s, l, units, at) if at >= s.start and at <= now then s.current = max(0, s.current - units) end end,
}
`

const LOG = `
a = {
  read = function(key, l)
    local s = { at = now, key = key, added = 0 }
    local last = tonumber(redis.call('LINDEX', key, -1) or nil)
    if last and last > now then
      if last - now <= STEP_BACK then s.at = last
      else
        local stamps = redis.call('LRANGE', key, 0, -1)
        redis.call('DEL', key)
        for _, stamp in ipairs(stamps) do redis.call('RPUSH', key, whole(max(0, stamp - last + now))) end
      end
    end
    while true do
      local first = tonumber(redis.call('LINDEX', key, 0) or nil)
      if not first or first + l.window > s.at then break end
      redis.call('LPOP', key)
    end
    s.used = redis.call('LLEN', key)
    return s
  end,
  room = function(s, l) return max(0, l.full - s.used) end,
  take = function(s, l, cost)
    for i = 1, cost do redis.call('RPUSH', s.key, whole(s.at)) end
    s.used = s.used + cost
  end,
  wait = function(s, l, cost)
    if cost > l.full then return -1 end
    local over = s.used + cost - l.full
    if over <= 0 then return 0 end
    return tonumber(redis.call('LINDEX', s.key, over - 1)) + l.window - now
  end,
  full = function(s, l)
    if s.used == 0 then return 0 end
    return tonumber(redis.call('LINDEX', s.key, -1)) + l.window - now
  end,
  write = function(key, s, l, full) if full > 0 then redis.call('PEXPIRE', key, whole(full)) end end,
}
`

/**
 * KEYS of the levels from the widest on; ARGV the cost, and each level. Answers whether it is allowed, what remains, how long to
 * wait (-1: for ever), when all is there again, and the level that decided. Where one level refuses, nothing is taken of any, and nothing written but
 * a state that cannot be: of a clock that was set back, or of somebody else.
 */
const TAKE = `
local cost = tonumber(ARGV[1])
local states = {}
for i = 1, #KEYS do
  local l = level(i, 2)
  local s = a.read(KEYS[i], l)
  if cost > 0 and cost > a.room(s, l) then
    if s.isMended then a.write(KEYS[i], s, l, a.full(s, l)) end
    return { 0, a.room(s, l), a.wait(s, l, cost), a.full(s, l), i }
  end
  states[i] = s
end
local remaining, full, decided = -1, 0, 0
for i = 1, #KEYS do
  local l, s = level(i, 2), states[i]
  a.take(s, l, cost)
  local room, levelFull = a.room(s, l), a.full(s, l)
  if cost > 0 then a.write(KEYS[i], s, l, levelFull) end
  if remaining == -1 or room < remaining then remaining, decided = room, i end
  if levelFull > full then full = levelFull end
end
return { 1, remaining, 0, full, decided }
`

/**
 * KEYS as above; ARGV what was given already, the cost that is asked for, what others wait for, what is wanted beside it and by how much
 * the rest is divided before any of it is set aside, what comes back of what was set aside, and when that was; then each level. Answers whether the cost
 * is allowed, what was set aside, what remains, how long to wait, when all is there again, how long what was set aside is good for, and when
 * this was. What was given counts also where the cost is refused.
 */
const SETTLE = `
local given, cost = tonumber(ARGV[1]), tonumber(ARGV[2])
local needed, wanted, divisor = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local back, backAt = tonumber(ARGV[6]), tonumber(ARGV[7])
local isAllowed, remaining, wait, full, still, aside = 1, -1, 0, 0, -1, 0
local states = {}
for i = 1, #KEYS do
  local l = level(i, 8)
  local s = a.read(KEYS[i], l)
  if back > 0 then a.back(s, l, back, backAt) end
  if given > 0 then a.take(s, l, given) end
  states[i] = s
  local room = a.room(s, l)
  if isAllowed == 1 and cost > room then isAllowed, wait = 0, a.wait(s, l, cost) end
  if remaining == -1 or room < remaining then remaining = room end
end
if isAllowed == 1 then
  remaining = remaining - cost
  aside = min(needed, remaining)
  aside = aside + min(wanted, floor((remaining - aside) / divisor))
  remaining = remaining - aside
end
local taken = isAllowed * cost + aside
for i = 1, #KEYS do
  local l, s = level(i, 8), states[i]
  if taken > 0 then a.take(s, l, taken) end
  local levelFull = a.full(s, l)
  if taken > 0 or given > 0 or back > 0 or s.isMended then a.write(KEYS[i], s, l, levelFull) end
  if levelFull > full then full = levelFull end
  local good = a.still(s, l)
  if good >= 0 and (still < 0 or good < still) then still = good end
end
return { isAllowed, aside, remaining, wait, full, still, now }
`

/** Each way to count has scripts of its own: Redis makes anew what a script defines each time it runs. */
export interface Scripts {
  readonly take: Script
  readonly settle: Script
}

const scripts = (algorithm: string): Scripts => ({
  take: script(`${REDIS_TIME}${COMMON}${algorithm}${TAKE}`),
  settle: script(`${REDIS_TIME}${COMMON}${algorithm}${SETTLE}`),
})

const BUCKET_SCRIPTS = scripts(BUCKET)

/** By algorithm; the others cannot be counted in Redis. */
export const SCRIPTS: ReadonlyMap<AlgorithmName, Scripts> = new Map<AlgorithmName, Scripts>([
  ['token-bucket', BUCKET_SCRIPTS],
  ['leaky-bucket', BUCKET_SCRIPTS],
  ['gcra', BUCKET_SCRIPTS],
  ['fixed-window', scripts(FIXED)],
  ['sliding-window', scripts(SLIDING)],
  ['sliding-log', scripts(LOG)],
])

/** KEYS the set of those that take part; ARGV the one that does, and for how long it is believed without saying so again. Answers how many do. */
export const JOIN = script(`${REDIS_TIME}
local function whole(n) return string.format('%.0f', n) end
redis.call('ZADD', KEYS[1], whole(now), ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', whole(now - ARGV[2]))
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return redis.call('ZCARD', KEYS[1])
`)
