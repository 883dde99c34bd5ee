/**
 * `edge.kv` and `edge.cache` for the units of a worker: reads come from the file itself, changes go to the supervisor.
 *
 * What arrives was written in a sandbox: each part is checked, and what is wrong is told in the words of the author.
 */
import { parseDuration } from '../base/quantity.ts'
import type { Clock } from '../base/clock.ts'
import { EdgeError } from '../base/errors.ts'
import { asciiJson, refusal, type HostAnswer, type HostCall } from '../contract/host-calls.ts'
import {
  KV_KEY_CHARACTERS_MAX,
  KV_LIST_MAX,
  KV_TTL_MS_MAX,
  type KvBatch,
  type KvOperation,
  type KvResult,
  type KvStoreName,
} from '../contract/kv.ts'
import { KvClient } from '../kv/client.ts'
import { KvReader } from '../kv/reader.ts'

export interface KvCallsOptions {
  /** Paths of the files. */
  readonly stores: Readonly<Record<KvStoreName, string>>
  readonly clock: Clock
  readonly words: Int32Array
  send(batch: KvBatch): void
}

interface Given {
  readonly key: string
  readonly ttlMs: number
  readonly durable: boolean
  /** Asked of whoever orders the changes of all nodes. */
  readonly strong: boolean
  /** Bytes of the body that say what is expected; undefined: nothing is. */
  readonly expected: number | undefined
  readonly by: number
  readonly prefix: string
  readonly limit: number
  readonly cursor: string
}

/** A call that says what it may not. */
class Wrong extends Error {}

export class KvCalls {
  readonly #readers: Readonly<Record<KvStoreName, KvReader>>
  readonly #clients: Readonly<Record<KvStoreName, KvClient>>

  constructor({ stores, clock, words, send }: KvCallsOptions) {
    const reader = (name: KvStoreName) => new KvReader({ name, path: stores[name], clock, words })
    this.#readers = { kv: reader('kv'), cache: reader('cache') }
    this.#clients = { kv: new KvClient('kv', { send }), cache: new KvClient('cache', { send }) }
  }

  /** What the supervisor did of a batch. */
  done(store: KvStoreName, id: number, results: readonly KvResult[]): void {
    this.#clients[store].done(id, results)
  }

  close(): void {
    this.#readers.kv.close()
    this.#readers.cache.close()
  }

  start(call: HostCall, answer: (answer: HostAnswer) => void): undefined {
    let target = ''
    try {
      const given = parse(call.head)
      const [store, operation] = call.kind.split('.') as [KvStoreName, string]
      target = operation === 'list' ? given.prefix : given.key
      this.#do(call, store, operation, given, target, answer)
    } catch (error) {
      if (error instanceof Wrong)
        answer(refusal('kv-invalid', `${call.kind}: ${error.message}`, 'TypeError', target))
      else if (error instanceof EdgeError)
        answer(refusal('kv-unavailable', `${call.kind}: ${error.message}`, 'Error', target))
      else throw error
    }
  }

  #do(
    call: HostCall,
    store: KvStoreName,
    operation: string,
    given: Given,
    target: string,
    answer: (answer: HostAnswer) => void,
  ): void {
    const namespace = call.unit.manifest.kv ?? call.unit.name
    const reader = this.#readers[store]
    if (operation === 'list') {
      const page = reader.list(namespace, given.prefix, given.limit, given.cursor)
      answer({ ok: true, head: asciiJson(page), body: '', result: `${page.keys.length} keys`, target })
      return
    }
    if (given.key === '') throw new Wrong('a key is a text of one character or more')
    if (given.key.length > KV_KEY_CHARACTERS_MAX) {
      const message = `a key of ${given.key.length} characters; no node allows more than ${KV_KEY_CHARACTERS_MAX}`
      answer(refusal('kv-key', `${call.kind}: ${message}`, 'Error', target))
      return
    }
    if (operation === 'get' && given.strong) {
      this.#clients[store].ask({ op: 'get', namespace, key: given.key }, false, (result) => {
        if ('code' in result) answer(refusal(result.code, `${call.kind}: ${result.message}`, 'Error', target))
        else if (!result.bytes) answer({ ok: true, head: '', body: '', result: 'miss', target })
        else {
          const body = Buffer.from(result.bytes).toString('latin1')
          answer({ ok: true, head: '1', body, result: 'hit', target })
        }
      })
      return
    }
    if (operation === 'get') {
      const value = reader.get(namespace, given.key)
      if (value === undefined) answer({ ok: true, head: '', body: '', result: 'miss', target })
      else answer({ ok: true, head: '1', body: value, result: 'hit', target })
      return
    }
    const write = writeOf(call, operation, namespace, given)
    const client = this.#clients[store]
    const onResult = (result: KvResult): void => {
      if ('value' in result) answer({ ok: true, head: String(result.value), body: '', result: 'ok', target })
      else answer(refusal(result.code, `${call.kind}: ${result.message}`, 'Error', target))
    }
    if (write.op === 'compareAndSet' || given.strong) client.ask(write, given.durable, onResult)
    else client.write(write, given.durable, onResult)
  }
}

function writeOf(call: HostCall, operation: string, namespace: string, given: Given): KvOperation {
  const { key, ttlMs, by } = given
  switch (operation) {
    case 'put': {
      const value = Buffer.from(call.body, call.isBytes ? 'latin1' : 'utf8')
      return { op: 'put', namespace, key, value, ttlMs }
    }
    case 'delete':
      return { op: 'delete', namespace, key }
    case 'compareAndSet': {
      const [expected, value] = twoOf(call, given)
      return { op: 'compareAndSet', namespace, key, expected, value, ttlMs }
    }
    default:
      return { op: 'increment', namespace, key, by, ttlMs }
  }
}

/** Both come in one body of bytes, what is expected first; without a length of it, nothing is. */
function twoOf({ body }: HostCall, { expected: length }: Given): [Buffer | null, Buffer] {
  const bytes = Buffer.from(body, 'latin1')
  if (length === undefined) return [null, bytes]
  if (length > bytes.length) throw new Wrong('not in form')
  return [bytes.subarray(0, length), bytes.subarray(length)]
}

function parse(head: string): Given {
  let given: Partial<Record<keyof Given | 'ttl' | 'consistency', unknown>> | null
  try {
    given = JSON.parse(head) as typeof given
  } catch {
    throw new Wrong('not in form')
  }
  if (typeof given !== 'object' || given === null) throw new Wrong('not in form')
  const { key = '', ttl, durable, by = 1, prefix = '', limit = KV_LIST_MAX, cursor = '' } = given
  const { consistency = 'eventual', expected } = given
  if (typeof key !== 'string') throw new Wrong('a key is text')
  if (typeof by !== 'number' || !Number.isSafeInteger(by))
    throw new Wrong('a counter grows by a whole number')
  if (typeof prefix !== 'string') throw new Wrong('prefix is text')
  if (typeof cursor !== 'string') throw new Wrong('cursor is what the page before said')
  if (typeof limit !== 'number' || !Number.isInteger(limit) || limit < 1 || limit > KV_LIST_MAX) {
    throw new Wrong(`limit is a whole number from 1 to ${KV_LIST_MAX}`)
  }
  if (consistency !== 'eventual' && consistency !== 'strong')
    throw new Wrong(`consistency is "eventual" or "strong", not ${JSON.stringify(consistency)}`)
  if (expected !== undefined && !(Number.isSafeInteger(expected) && (expected as number) >= 0))
    throw new Wrong('not in form')
  return {
    key,
    ttlMs: ttlMsOf(ttl),
    durable: durable === true,
    strong: consistency === 'strong',
    expected: expected as number | undefined,
    by,
    prefix,
    limit,
    cursor,
  }
}

/** Seconds, or a text such as `"90s"`. */
export function ttlMsOf(ttl: unknown): number {
  if (ttl === undefined) return 0
  const ms =
    typeof ttl === 'number' ? Math.ceil(ttl * 1000) : typeof ttl === 'string' ? parseDuration(ttl) : undefined
  if (ms === undefined || !(ms >= 1 && ms <= KV_TTL_MS_MAX)) {
    throw new Wrong(
      `a ttl is a number of seconds above 0, or a text such as "90s", not ${JSON.stringify(ttl)}`,
    )
  }
  return ms
}
