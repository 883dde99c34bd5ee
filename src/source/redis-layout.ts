/** Reads what lies in a Redis: the set of names, in its order, and the string of each. Nothing is understood yet, and nothing written. */
import { EdgeError } from '../base/errors.ts'
import { tooLong, VALUE_BYTES_MAX } from './layout.ts'
import { type RedisCommand, type RedisLink, RedisRefusal, type RedisReply } from './redis-link.ts'

export interface SourceEntry {
  /** As Redis has it. */
  readonly name: string
  /** Of a sorted set: lower comes first. */
  readonly score: number | undefined
  readonly value: { readonly text: string } | { readonly problem: string }
}

/** More is no set of units by hand. */
const NAMES_MAX = 20_000
/** Commands that wait for an answer at a time. */
const AT_ONCE = 500

/** Empty where there is no such key, as Redis has it. Throws `EdgeError`. */
export async function readLayout(link: RedisLink, set: string): Promise<readonly SourceEntry[]> {
  const names = await refusing(() => readNames(link, set))
  const entries: SourceEntry[] = []
  for (let from = 0; from < names.length; from += AT_ONCE) {
    const some = names.slice(from, from + AT_ONCE)
    entries.push(
      ...(await Promise.all(
        some.map(async ({ name, score }) => ({ name, score, value: await readValue(link, name) })),
      )),
    )
  }
  return entries
}

interface Named {
  readonly name: string
  readonly score: number | undefined
}

async function readNames(link: RedisLink, set: string): Promise<readonly Named[]> {
  const type = await link.send(read(set, 'TYPE', set))
  if (type === 'none') return []
  if (type !== 'set' && type !== 'zset')
    throw invalid(
      `the key \`${set}\` holds a ${String(type)}; it is to be a set or a sorted set with the names of units`,
    )
  const isSorted = type === 'zset'
  const size = await link.send(read(set, isSorted ? 'ZCARD' : 'SCARD', set))
  if (typeof size !== 'number') throw invalid(`\`${set}\` has no size that is a number`)
  if (size > NAMES_MAX) throw invalid(`\`${set}\` holds ${size} names, at most ${NAMES_MAX}`)
  const reply = isSorted
    ? await link.send(read(set, 'ZRANGE', set, '0', '-1', 'WITHSCORES'))
    : await link.send(read(set, 'SMEMBERS', set))
  if (!isTexts(reply)) throw invalid(`what lies in \`${set}\` is no list of names`)
  if (!isSorted) return reply.toSorted().map((name) => ({ name, score: undefined }))
  return Array.from({ length: reply.length / 2 }, (_, at) => ({
    name: reply[at * 2]!,
    score: scoreOf(reply[at * 2 + 1]!),
  }))
}

/** Of a unit that is wrong its problem, so that it stops no other. */
async function readValue(link: RedisLink, name: string): Promise<SourceEntry['value']> {
  try {
    const bytes = await link.send(read(name, 'STRLEN', name))
    if (typeof bytes === 'number' && bytes > VALUE_BYTES_MAX) return { problem: tooLong(bytes) }
    const text = await link.send(read(name, 'GET', name))
    if (typeof text === 'string') return { text }
    return { problem: 'the set names it, and there is no key of that name' }
  } catch (error) {
    if (!(error instanceof RedisRefusal)) throw error
    if (!error.message.startsWith('WRONGTYPE')) return { problem: `Redis does not give it: ${error.message}` }
    return { problem: 'its key holds no string, which is to be `phase||code`' }
  }
}

async function refusing<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof RedisRefusal)) throw error
    throw new EdgeError('source-unavailable', `Redis refuses to be read: ${error.message}`, { cause: error })
  }
}

const read = (key: string, ...args: string[]): RedisCommand => ({ args, key, isWrite: false })

const isTexts = (reply: RedisReply): reply is readonly string[] =>
  Array.isArray(reply) && reply.every((item) => typeof item === 'string')

/** `inf` and `-inf` are Redis's own. */
const scoreOf = (text: string): number =>
  text === 'inf' ? Infinity : text === '-inf' ? -Infinity : Number(text)

const invalid = (message: string): EdgeError => new EdgeError('source-invalid', message)
