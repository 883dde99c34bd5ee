/**
 * What is done in Redis in one piece: scripts, for only they compare and write at once.
 *
 * A log has three keys in one slot: `head` (a hash: log, id, hash, the base up to which entries were let go of, and how many keys the
 * state has), `entries` (a stream whose ids are ours, `ID-0`) and `state` (a hash). A script's first write is one that Redis may refuse for want of memory,
 * so nothing is half done. Ids cross as text: Lua would write large ones as 1e+15.
 */
import { createHash } from 'node:crypto'

export interface Script {
  readonly text: string
  readonly sha: string
}

const script = (text: string): Script => ({ text, sha: createHash('sha1').update(text).digest('hex') })

/** An entry's fields in the order in which they are written, or nil where there is none, or somebody else's. */
const ENTRY = `
local function entry(id)
  local at = type(id) == 'number' and string.format('%.0f-0', id) or id .. '-0'
  local found = redis.call('XRANGE', KEYS[2], at, at)[1]
  if found and #found[2] == 10 then return found[2] end
end
`

/** KEYS head, entries, state; ARGV a new name, the hash of the beginning. Answers log, id, hash. */
export const HEAD = script(`
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('HSET', KEYS[1], 'log', ARGV[1], 'id', '0', 'hash', ARGV[2], 'base', '0', 'baseHash', ARGV[2], 'keys', '0')
  redis.call('DEL', KEYS[2], KEYS[3])
end
return redis.call('HMGET', KEYS[1], 'log', 'id', 'hash')
`)

/**
 * KEYS head, entries, state; ARGV the log, id and hash that are expected, the channel, the name of the log there, whether what is there
 * already has to be waited for, then id, operation, key, value, at and hash of each entry. Answers 'appended', 'conflict' or 'damaged'.
 *
 * What was appended before is written once more in one field that stays the same: so \`WAIT\` on this connection covers it.
 */
export const APPEND = script(`${ENTRY}
local head = redis.call('HMGET', KEYS[1], 'log', 'id', 'hash', 'keys', 'base', 'baseHash')
if head[1] ~= ARGV[1] then return 'conflict' end
local count = #ARGV
if head[2] == ARGV[2] and head[3] == ARGV[3] then
  if tonumber(head[4]) ~= redis.call('HLEN', KEYS[3]) then return 'damaged' end
  if count == 6 then return 'appended' end
  for i = 7, count, 6 do
    redis.call('XADD', KEYS[2], ARGV[i] .. '-0', 'operation', ARGV[i + 1], 'key', ARGV[i + 2],
      'value', ARGV[i + 3], 'at', ARGV[i + 4], 'hash', ARGV[i + 5])
    if ARGV[i + 1] == 'SET' then redis.call('HSET', KEYS[3], ARGV[i + 2], ARGV[i + 3])
    else redis.call('HDEL', KEYS[3], ARGV[i + 2]) end
  end
  redis.call('HSET', KEYS[1], 'id', ARGV[count - 5], 'hash', ARGV[count], 'keys', redis.call('HLEN', KEYS[3]))
  redis.pcall('PUBLISH', ARGV[4], ARGV[5])
  return 'appended'
end
if count == 6 then return 'conflict' end
local id, hash = ARGV[count - 5], ARGV[count]
local found = entry(id)
if (found and found[10] == hash) or (head[2] == id and head[3] == hash) or (head[5] == id and head[6] == hash) then
  if ARGV[6] == '1' then redis.call('HSET', KEYS[1], 'log', head[1]) end
  return 'appended'
end
return 'conflict'
`)

/**
 * KEYS head, entries, state; ARGV log, id and hash of the position, the limit, and the bytes after which a page ends. Answers nil for a reset, else
 * the id of the head, how many keys the state has, how many it had at the last append, and the entries, flat: at one moment all of it.
 */
export const READ = script(`${ENTRY}
local head = redis.call('HMGET', KEYS[1], 'log', 'id', 'hash', 'base', 'baseHash', 'keys')
if head[1] ~= ARGV[1] then return false end
local after, last, base = tonumber(ARGV[2]), tonumber(head[2]), tonumber(head[4])
if after > last or after < base then return false end
local hash
if after == last then hash = head[3]
elseif after == base then hash = head[5]
else
  local found = entry(after)
  hash = found and found[10]
end
if hash ~= ARGV[3] then return false end
local page, bytes = { head[2], redis.call('HLEN', KEYS[3]), tonumber(head[6]) }, 0
for id = after + 1, math.min(after + tonumber(ARGV[4]), last) do
  local found = entry(id)
  if not found then return false end
  bytes = bytes + #found[4] + #found[6]
  if bytes > tonumber(ARGV[5]) and #page > 3 then break end
  page[#page + 1] = string.format('%.0f', id)
  for i = 2, 10, 2 do page[#page + 1] = found[i] end
end
return page
`)

/**
 * KEYS head, entries, state, the state to come; ARGV the log, id and hash that are expected, log, id and hash that will be, how many keys
 * the state to come has, the name of this replacement, the channel and the name of the log there. Answers 'replaced', 'conflict' or 'incomplete'.
 */
export const REPLACE = script(`
local head = redis.call('HMGET', KEYS[1], 'log', 'id', 'hash', 'replacement')
if head[4] == ARGV[8] and head[1] == ARGV[4] and head[2] == ARGV[5] and head[3] == ARGV[6] then
  redis.call('HSET', KEYS[1], 'log', head[1])
  return 'replaced'
end
if head[1] ~= ARGV[1] or head[2] ~= ARGV[2] or head[3] ~= ARGV[3] then return 'conflict' end
if redis.call('HLEN', KEYS[4]) ~= tonumber(ARGV[7]) then return 'incomplete' end
redis.call('HSET', KEYS[1], 'log', ARGV[4], 'id', ARGV[5], 'hash', ARGV[6], 'base', ARGV[5], 'baseHash', ARGV[6],
  'keys', ARGV[7], 'replacement', ARGV[8])
redis.call('UNLINK', KEYS[2], KEYS[3])
if ARGV[7] ~= '0' then
  redis.call('RENAME', KEYS[4], KEYS[3])
  redis.call('PERSIST', KEYS[3])
end
redis.pcall('PUBLISH', ARGV[9], ARGV[10])
return 'replaced'
`)

/**
 * KEYS head, entries; ARGV the id up to which entries go. Where the entry of that id was taken out by somebody, nothing is done.
 * The stream comes first: Redis trims also where its memory is full, and then does not refuse the rest of a script.
 */
export const TRIM = script(`${ENTRY}
local head = redis.call('HMGET', KEYS[1], 'id', 'hash', 'base')
if not head[1] then return 0 end
local id, last = tonumber(ARGV[1]), tonumber(head[1])
if id > last then id = last end
if id <= tonumber(head[3]) then return 0 end
local hash = head[2]
if id < last then
  local found = entry(id)
  if not found then return 0 end
  hash = found[10]
end
redis.call('XTRIM', KEYS[2], 'MINID', string.format('%.0f', id + 1))
redis.call('HSET', KEYS[1], 'base', string.format('%.0f', id), 'baseHash', hash)
return 1
`)
