/** One log in Redis: `{PREFIX:NAME}:head`, `:entries` and `:state`, all in one slot. What is done in one piece stands in `scripts.ts`. */
import { randomBytes } from 'node:crypto'
import { EdgeError } from '../../../base/errors.ts'
import type { SharedLog } from '../../../contract/shared-log.ts'
import type { LogEntry, Position, Snapshot } from '../../../contract/store.ts'
import { GENESIS } from '../../chain.ts'
import type { Reply } from './connections.ts'
import type { Router, Server } from './router.ts'
import { APPEND, HEAD, READ, REPLACE, type Script, TRIM } from './scripts.ts'

/** Keys and values of a page, in bytes, at most; but one entry always. */
const PAGE_BYTES = 4 * 2 ** 20
/** Characters of keys and values that go to Redis in one command where a state is put there. */
const PART_CHARACTERS = 2 ** 20
/** How long a state that was never finished stays. */
const STAGED_SECONDS = 3600
/** Snapshots that did not add up, because the log was replaced or a master lost its place meanwhile. */
const SNAPSHOTS_MAX = 5

export interface RedisLogOptions {
  readonly prefix: string
  readonly waitReplicas: number
  /** Where the name of a log is published when it has changed. */
  readonly channel: string
  readonly watch: (onChange: () => void) => () => void
}

interface Page {
  /** Whether the page ends where the log does, so that the two figures belong to its last entry. */
  readonly isEnd: boolean
  /** How many keys the state has, and how many it had at the last append. */
  readonly keys: number
  readonly keysExpected: number
  readonly entries: readonly LogEntry[]
}

export class RedisLog implements SharedLog {
  readonly #name: string
  readonly #router: Router
  readonly #options: RedisLogOptions
  readonly #tag: string
  readonly #keys: readonly [head: string, entries: string, state: string]

  constructor(name: string, router: Router, options: RedisLogOptions) {
    this.#name = name
    this.#router = router
    this.#options = options
    this.#tag = `{${options.prefix}:${name}}`
    this.#keys = [`${this.#tag}:head`, `${this.#tag}:entries`, `${this.#tag}:state`]
  }

  async head(): Promise<Position> {
    return this.#head()
  }

  async #head(servers?: Set<object>): Promise<Position> {
    const parse = (reply: Reply) => {
      const [log, id, hash] = textsOf(reply, 3)
      return { log: log!, id: Number(id), hash: hash! }
    }
    return this.#run(HEAD, [randomBytes(16).toString('hex'), GENESIS], parse, servers)
  }

  async append(expected: Position, entries: readonly LogEntry[]): Promise<'appended' | 'conflict'> {
    const { waitReplicas, channel } = this.#options
    const args = [...partsOf(expected), channel, this.#name, waitReplicas > 0 ? '1' : '0']
    for (const { id, operation, key, value, at, hash } of entries) {
      args.push(String(id), operation, key, value, String(at), hash)
    }
    const outcome = await this.#router.run(this.#name, 'write', async (server) => {
      const reply = oneOf(['appended', 'conflict', 'damaged'], await server.run(APPEND, this.#keys, args))
      if (reply === 'appended' && entries.length > 0) await this.#waitForReplicas(server)
      return reply
    })
    if (outcome === 'damaged') throw this.#damaged()
    return outcome
  }

  async read(after: Position, limit: number): Promise<readonly LogEntry[] | 'reset'> {
    const page = await this.#page(after, limit)
    return page === 'reset' ? page : page.entries
  }

  /**
   * The state is gathered piece by piece, so that Redis answers others in between, and then brought to one position by the entries
   * since: what a key became while it was gathered stands in them. That the number of keys is the one at that position shows that
   * no piece is missing, as one could be where another master goes on with a scan. All of it comes over one connection: another master may have lost
   * an entry whose value a piece of the one before shows.
   */
  async snapshot(): Promise<Snapshot> {
    for (let attempt = 1; attempt <= SNAPSHOTS_MAX; attempt++) {
      const servers = new Set<object>()
      const start = await this.#head(servers)
      const state = await this.#scan(servers)
      const end = await this.#bring(state, start, servers)
      if (end === 'reset' || servers.size > 1) continue
      if (end.keys === state.size && end.keys === end.keysExpected)
        return { position: end.position, entries: state }
      if (end.keys !== end.keysExpected) throw this.#damaged()
    }
    throw new EdgeError(
      'store-unavailable',
      `the log ${this.#name} in Redis changes too fast, or its master does, for a snapshot`,
    )
  }

  async replace(expected: Position, { position, entries }: Snapshot): Promise<'replaced' | 'conflict'> {
    const replacement = randomBytes(16).toString('hex')
    const staged = `${this.#tag}:staged:${replacement}`
    for (const part of partsOfState(entries)) {
      await this.#router.run(this.#name, 'write', async (server) => {
        await server.ask(['HSET', staged, ...part])
        await server.ask(['EXPIRE', staged, String(STAGED_SECONDS)])
      })
    }
    const args = [...partsOf(expected), ...partsOf(position), String(entries.size), replacement]
    const keys = [...this.#keys, staged]
    const outcome = await this.#router.run(this.#name, 'write', async (server) => {
      const answer = await server.run(REPLACE, keys, [...args, this.#options.channel, this.#name])
      const reply = oneOf(['replaced', 'conflict', 'incomplete'], answer)
      if (reply === 'replaced') await this.#waitForReplicas(server)
      else await server.ask(['UNLINK', staged])
      return reply
    })
    if (outcome === 'incomplete') {
      throw new EdgeError('store-unavailable', 'Redis lost a part of the state before it was whole')
    }
    return outcome
  }

  async trim(id: number): Promise<void> {
    await this.#run(TRIM, [String(id)], numberOf)
  }

  watch(onChange: () => void): () => void {
    return this.#options.watch(onChange)
  }

  /** What cannot be told from the answer is asked for again: so it is looked at where it came. `servers` gathers who answered. */
  async #run<T>(
    script: Script,
    args: readonly string[],
    parse: (reply: Reply) => T,
    servers?: Set<object>,
  ): Promise<T> {
    return this.#router.run(this.#name, 'read', async (server) => {
      const result = parse(await server.run(script, this.#keys, args))
      servers?.add(server.connection)
      return result
    })
  }

  /** On the connection of the change itself: `WAIT` counts who has what was written on it. */
  async #waitForReplicas(server: Server): Promise<void> {
    const { waitReplicas } = this.#options
    if (waitReplicas === 0) return
    const leftMs = Math.max(server.leftMs(), 2)
    // The rest is for the answer to come.
    const waitMs = Math.max(Math.floor(leftMs * 0.6), 1)
    const count = numberOf(await server.ask(['WAIT', String(waitReplicas), String(waitMs)], leftMs))
    if (count >= waitReplicas) return
    throw new EdgeError(
      'store-unavailable',
      `the change is in the log at ${server.address}, but ${count} of ${waitReplicas} replicas took it within ${waitMs} ms: it may be lost with that server`,
      { hint: 'see `orla store status` for the replicas; sent again, it counts once they have it' },
    )
  }

  async #page(after: Position, limit: number, servers?: Set<object>): Promise<Page | 'reset'> {
    const args = [...partsOf(after), String(limit), String(PAGE_BYTES)]
    const parse = (reply: Reply) => (reply === null ? 'reset' : pageOf(after, reply))
    return this.#run(READ, args, parse, servers)
  }

  async #scan(servers: Set<object>): Promise<Map<string, string>> {
    const state = new Map<string, string>()
    let cursor = '0'
    do {
      const [next, pairs] = await this.#router.run(this.#name, 'read', async (server) => {
        const reply = await server.ask(['HSCAN', this.#keys[2], cursor, 'COUNT', '100'])
        if (!Array.isArray(reply) || typeof reply[0] !== 'string') throw unexpected(reply)
        servers.add(server.connection)
        return [reply[0], textsOf(reply[1] ?? null)] as const
      })
      for (let n = 0; n < pairs.length; n += 2) state.set(pairs[n]!, pairs[n + 1]!)
      cursor = next
    } while (cursor !== '0')
    return state
  }

  /** Applies what came after the position to the state, to the end of the log. */
  async #bring(state: Map<string, string>, start: Position, servers: Set<object>) {
    let position = start
    for (;;) {
      const page = await this.#page(position, 1000, servers)
      if (page === 'reset') return page
      for (const { operation, key, value } of page.entries) {
        if (operation === 'SET') state.set(key, value)
        else state.delete(key)
      }
      const last = page.entries.at(-1)
      if (last !== undefined) position = { log: position.log, id: last.id, hash: last.hash }
      if (page.isEnd) return { position, keys: page.keys, keysExpected: page.keysExpected }
    }
  }

  #damaged(): EdgeError {
    return new EdgeError(
      'store-corrupt',
      `the state of the log ${this.#name} in Redis (${this.#keys[2]}) was changed by somebody else: keys are missing, or there are others`,
      {
        hint: 'set `maxmemory-policy noeviction` and keep other programs out of `store.prefix`, then write it anew with `orla store migrate`',
      },
    )
  }
}

const partsOf = ({ log, id, hash }: Position): readonly string[] => [log, String(id), hash]

/** Keys and values, flat, in commands of a bounded size. */
function* partsOfState(entries: ReadonlyMap<string, string>): Generator<string[]> {
  let part: string[] = []
  let characters = 0
  for (const [key, value] of entries) {
    part.push(key, value)
    characters += key.length + value.length
    if (characters < PART_CHARACTERS && part.length < 2000) continue
    yield part
    part = []
    characters = 0
  }
  if (part.length > 0) yield part
}

function pageOf(after: Position, reply: Reply): Page {
  if (!Array.isArray(reply) || reply.length % 6 !== 3) throw unexpected(reply)
  const [head, keys, keysExpected, ...rest] = reply as readonly Reply[]
  const parts = textsOf(rest)
  const entries: LogEntry[] = []
  for (let n = 0; n < parts.length; n += 6) {
    const [id, operation, key, value, at, hash] = parts.slice(n, n + 6) as [string, ...string[]]
    if (Number(id) !== after.id + entries.length + 1) throw unexpected(id)
    entries.push({
      id: Number(id),
      operation: oneOf(['SET', 'DELETE'], operation ?? null),
      key: key!,
      value: value!,
      at: Number(at),
      hash: hash!,
    })
  }
  return {
    isEnd: (entries.at(-1)?.id ?? after.id) === Number(head),
    keys: numberOf(keys ?? null),
    keysExpected: numberOf(keysExpected ?? null),
    entries,
  }
}

function textsOf(reply: Reply, count?: number): readonly string[] {
  const isTexts = Array.isArray(reply) && reply.every((part) => typeof part === 'string')
  if (!isTexts || (count !== undefined && reply.length !== count)) throw unexpected(reply)
  return reply
}

function numberOf(reply: Reply): number {
  if (typeof reply !== 'number') throw unexpected(reply)
  return reply
}

function oneOf<const T extends string>(words: readonly T[], reply: Reply): T {
  const word = words.find((one) => one === reply)
  if (word === undefined) throw unexpected(reply)
  return word
}

/** Answers may belong to other questions then, so the connection is left. */
const unexpected = (reply: Reply): Error =>
  new Error(`it answered what was not expected: ${JSON.stringify(reply).slice(0, 100)}`)
