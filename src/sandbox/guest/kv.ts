/** `edge.kv` and `edge.cache`: what a handler writes and reads beyond its isolate. Both are calls of the host. */
import type { CallKind } from '../../contract/host-calls.ts'
import { BODY_BYTES, BODY_TEXT } from '../protocol.ts'
import { bytesOfSource } from './buffer-source.ts'
import { callError, type CallAnswer, sendCall } from './calls.ts'
import { describe } from './fields.ts'
import { checkMaker } from './illegal-constructor.ts'
import { isInteger, parseJson, stringifyJson, toStringTagSymbol, toWellFormed } from './primordials.ts'
import { bytesOfLatin1, decodeUtf8, encodeUtf8, latin1OfBytes } from './utf8.ts'

interface PutOptions {
  readonly ttl?: unknown
  readonly durable?: unknown
  readonly consistency?: unknown
}

/** What of the options of a change crosses as it is. */
function askedOf({ durable, consistency }: PutOptions): { durable?: true; consistency?: string } {
  const asked: { durable?: true; consistency?: string } = {}
  if (durable === true) asked.durable = true
  const named = consistencyOf(consistency)
  if (named !== undefined) asked.consistency = named
  return asked
}

function consistencyOf(consistency: unknown): 'strong' | undefined {
  if (consistency === undefined || consistency === 'eventual') return undefined
  if (consistency === 'strong') return consistency
  throw new TypeError(`consistency is "eventual" or "strong", not ${describe(consistency)}`)
}

async function ask(
  id: number,
  kind: CallKind,
  head: string,
  body = '',
  bodyKind: number = BODY_TEXT,
): Promise<CallAnswer> {
  const answer = await sendCall(id, kind, head, body, bodyKind).answer
  if (!answer.isOk) throw callError(answer.head)
  return answer
}

function keyOf(key: unknown): string {
  if (typeof key !== 'string') throw new TypeError(`a key is text, not ${describe(key)}`)
  if (key === '') throw new TypeError('a key is a text of one character or more')
  return toWellFormed(key)
}

/** A time to live as it crosses: seconds, or `"90s"`, which the host reads. */
function ttlOf(ttl: unknown): string | number | undefined {
  if (ttl === undefined || ttl === null) return undefined
  if (typeof ttl === 'number' && ttl > 0) return ttl
  if (typeof ttl === 'string') return ttl
  throw new TypeError(`a ttl is a number of seconds above 0, or a text such as "90s", not ${describe(ttl)}`)
}

type Shape = 'text' | 'json' | 'bytes' | 'arrayBuffer'

/** `get(key, 'json')` or `get(key, { type: 'json' })`. */
function shapeOf(options: unknown): Shape {
  const type =
    typeof options === 'object' && options !== null ? (options as { type?: unknown }).type : options
  if (type === undefined) return 'text'
  if (type === 'text' || type === 'json' || type === 'bytes' || type === 'arrayBuffer') return type
  throw new TypeError(`type is "text", "json", "bytes" or "arrayBuffer", not ${describe(type)}`)
}

function shaped(bytes: string, shape: Shape): unknown {
  switch (shape) {
    case 'text':
      return decodeUtf8(bytes)
    case 'json':
      return parseJson(decodeUtf8(bytes))
    case 'bytes':
      return bytesOfLatin1(bytes)
    default:
      return bytesOfLatin1(bytes).buffer
  }
}

async function get(id: number, kind: CallKind, key: unknown, options: unknown): Promise<unknown> {
  const shape = shapeOf(options)
  const given = typeof options === 'object' && options !== null ? (options as PutOptions) : {}
  const consistency = kind === 'kv.get' ? consistencyOf(given.consistency) : undefined
  const { head, body } = await ask(id, kind, stringifyJson({ key: keyOf(key), consistency }))
  // An empty head is the answer of a key that is not there.
  return head === '' ? null : shaped(body, shape)
}

async function put(
  id: number,
  kind: CallKind,
  key: unknown,
  value: unknown,
  options: PutOptions = {},
): Promise<void> {
  const head = stringifyJson({
    key: keyOf(key),
    ttl: ttlOf(options.ttl),
    ...(kind === 'kv.put' && askedOf(options)),
  })
  const bytes = typeof value === 'string' ? null : bytesOfSource(value)
  if (bytes !== null) await ask(id, kind, head, latin1OfBytes(bytes), BODY_BYTES)
  else await ask(id, kind, head, toWellFormed(typeof value === 'string' ? value : jsonOf(value)))
}

/** The bytes that `put` would keep, with a character a byte. */
function bytesOf(value: unknown): string {
  const bytes = typeof value === 'string' ? null : bytesOfSource(value)
  if (bytes !== null) return latin1OfBytes(bytes)
  return latin1OfBytes(encodeUtf8(toWellFormed(typeof value === 'string' ? value : jsonOf(value))))
}

function jsonOf(value: unknown): string {
  const text = stringifyJson(value) as string | undefined
  if (text === undefined)
    throw new TypeError(`a value is text, bytes, or what is JSON, not ${describe(value)}`)
  return text
}

export class Kv {
  readonly #id: number

  constructor(maker: unknown, id: number) {
    checkMaker(maker)
    this.#id = id
  }

  async get(key: unknown, options?: unknown): Promise<unknown> {
    return get(this.#id, 'kv.get', key, options)
  }

  async put(key: unknown, value: unknown, options?: PutOptions): Promise<void> {
    return put(this.#id, 'kv.put', key, value, options)
  }

  async delete(key: unknown, options: PutOptions = {}): Promise<void> {
    await ask(this.#id, 'kv.delete', stringifyJson({ key: keyOf(key), ...askedOf(options) }))
  }

  async list(options: { prefix?: unknown; limit?: unknown; cursor?: unknown } = {}): Promise<unknown> {
    const { prefix, limit, cursor } = options
    const { head } = await ask(this.#id, 'kv.list', stringifyJson({ prefix, limit, cursor }))
    return parseJson(head)
  }

  async increment(key: unknown, by: unknown = 1, options: PutOptions = {}): Promise<number> {
    if (!isInteger(by)) throw new TypeError(`a counter grows by a whole number, not by ${describe(by)}`)
    const head = stringifyJson({ key: keyOf(key), by, ttl: ttlOf(options.ttl), ...askedOf(options) })
    const answer = await ask(this.#id, 'kv.increment', head)
    return +answer.head
  }

  async compareAndSet(
    key: unknown,
    expected: unknown,
    value: unknown,
    options: PutOptions = {},
  ): Promise<boolean> {
    const before = expected === null ? null : bytesOf(expected)
    const head = stringifyJson({
      key: keyOf(key),
      ttl: ttlOf(options.ttl),
      ...askedOf(options),
      expected: before === null ? undefined : before.length,
    })
    const answer = await ask(this.#id, 'kv.compareAndSet', head, (before ?? '') + bytesOf(value), BODY_BYTES)
    return answer.head === '1'
  }

  get [toStringTagSymbol](): string {
    return 'Kv'
  }
}

export class EdgeCache {
  readonly #id: number

  constructor(maker: unknown, id: number) {
    checkMaker(maker)
    this.#id = id
  }

  async get(key: unknown, options?: unknown): Promise<unknown> {
    return get(this.#id, 'cache.get', key, options)
  }

  async put(key: unknown, value: unknown, options?: PutOptions): Promise<void> {
    return put(this.#id, 'cache.put', key, value, options)
  }

  async delete(key: unknown): Promise<void> {
    await ask(this.#id, 'cache.delete', stringifyJson({ key: keyOf(key) }))
  }

  get [toStringTagSymbol](): string {
    return 'EdgeCache'
  }
}
