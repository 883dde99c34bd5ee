/**
 * `edge.redis`, which chunks of a source know as `redis_client`: the commands of that Redis as methods, each a call of the host.
 *
 *     await redis_client.incr('hits')
 *     await redis_client.hset('seen', { address, path })
 *
 * A name in any spelling (`hgetall`, `hGetAll`) is that of a command; one that units may not give is refused by name when it is called.
 */
import { REDIS_COMMANDS } from '../../contract/redis-commands.ts'
import { BODY_TEXT } from '../protocol.ts'
import { callError, sendCall } from './calls.ts'
import { describe } from './fields.ts'
import {
  BufferIntrinsic,
  createObject,
  isArray,
  isView,
  mapGet,
  numberToString,
  objectKeys,
  parseJson,
  stringifyJson,
  toLowerCase,
  toWellFormed,
} from './primordials.ts'

const ProxyIntrinsic = Proxy
/** Names that the language asks an object for, and that are no commands. */
const isOfObjects = (name: string): boolean =>
  name === 'then' || name === 'toJSON' || name === 'constructor' || name === 'toString' || name === 'valueOf'

export function redisClient(id: number): object {
  return new ProxyIntrinsic(createObject(null) as object, {
    get(_, name: string | symbol): unknown {
      if (typeof name !== 'string' || isOfObjects(name)) return undefined
      return (...args: readonly unknown[]) => send(id, toLowerCase(name), args)
    },
    set: () => false,
    defineProperty: () => false,
  })
}

async function send(id: number, command: string, given: readonly unknown[]): Promise<unknown> {
  const isWrite = mapGet(REDIS_COMMANDS as Map<string, boolean>, command)
  if (isWrite === undefined)
    throw new TypeError(
      `redis_client.${command}: no unit may give this command; it may read and write values of keys`,
    )
  const args: string[] = []
  for (let i = 0; i < given.length; i++) take(given[i], command, args)
  const head = stringifyJson({ command, args })
  const answer = await sendCall(id, isWrite ? 'redis.write' : 'redis.read', head, '', BODY_TEXT).answer
  if (!answer.isOk) throw callError(answer.head)
  return parseJson(answer.head)
}

/** Lists and objects stand for what is in them: `['a', 'b']`, `{ field: value }`, `{ EX: 10 }`. */
function take(value: unknown, command: string, args: string[]): void {
  if (typeof value === 'object' && value !== null && isArray(value)) {
    for (let i = 0; i < value.length; i++) args[args.length] = textOf(value[i], command)
  } else if (typeof value === 'object' && value !== null && !isBytes(value)) {
    const names = objectKeys(value)
    for (let i = 0; i < names.length; i++) {
      args[args.length] = toWellFormed(names[i]!)
      args[args.length] = textOf((value as Record<string, unknown>)[names[i]!], command)
    }
  } else args[args.length] = textOf(value, command)
}

const isBytes = (value: object): boolean => isView(value) || value instanceof BufferIntrinsic

function textOf(value: unknown, command: string): string {
  if (typeof value === 'string') return toWellFormed(value)
  if (typeof value === 'number') return numberToString(value)
  throw new TypeError(`redis_client.${command} takes text and numbers, not ${describe(value)}`)
}
