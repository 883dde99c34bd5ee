/**
 * `edge.redis` for the units of a worker: a command goes to the Redis of the source that its unit follows, to the keys as they are there.
 *
 * Whose unit it is decides the worker by what the store says of the version, never what crosses from the sandbox. What a unit may not give is refused here as well as in the guest,
 * which is in the unit's reach. A command has the time that the unit has (`limits.wallMs`); its answer may be so large, and no larger.
 */
import type { Clock } from '../base/clock.ts'
import { EdgeError } from '../base/errors.ts'
import { sourceName } from '../config/source-name.ts'
import type { Config } from '../config/schema.ts'
import { asciiJson, refusal, type HostAnswer, type HostCall } from '../contract/host-calls.ts'
import { REDIS_COMMANDS } from '../contract/redis-commands.ts'
import { RedisLink, RedisRefusal, type RedisReply } from '../source/redis-link.ts'

export type RedisSources = Config['sources']

/** A call that says what it may not. */
class Wrong extends Error {}

/** JSON of one answer, in characters. */
const REPLY_CHARACTERS_MAX = 4 * 1024 * 1024
const ARGUMENTS_MAX = 10_000

interface Given {
  readonly command: string
  readonly args: readonly string[]
}

interface Way {
  readonly config: string
  readonly link: RedisLink
}

export class RedisCalls {
  readonly #clock: Clock
  #ways = new Map<string, Way>()

  constructor(sources: RedisSources, clock: Clock) {
    this.#clock = clock
    this.use(sources)
  }

  /** Connections of what is configured the same go on. */
  use(sources: RedisSources): void {
    const before = this.#ways
    this.#ways = new Map(
      sources.map((source) => {
        const name = sourceName(source)
        const config = JSON.stringify(source)
        const known = before.get(name)
        return [name, known?.config === config ? known : { config, link: new RedisLink(source, this.#clock) }]
      }),
    )
    const kept = new Set(this.#ways.values())
    for (const way of before.values()) if (!kept.has(way)) way.link.close()
  }

  close(): void {
    for (const { link } of this.#ways.values()) link.close()
  }

  start(call: HostCall, answer: (answer: HostAnswer) => void): () => void {
    let isGivenUp = false
    void this.#run(call).then((came) => {
      if (!isGivenUp) answer(came)
    })
    return () => {
      isGivenUp = true
    }
  }

  async #run(call: HostCall): Promise<HostAnswer> {
    let target = ''
    try {
      const link = this.#linkOf(call)
      const { command, args } = parse(call)
      const key = args[0] ?? ''
      target = `${command} ${key}`
      const isWrite = call.kind === 'redis.write'
      const timeoutMs = call.unit.manifest.limits.wallMs
      const reply = await link.send({ args: [command.toUpperCase(), ...args], key, isWrite }, timeoutMs)
      const head = asciiJson(command === 'hgetall' ? fieldsOf(reply) : reply)
      if (head.length > REPLY_CHARACTERS_MAX)
        throw new Wrong(`the answer is ${head.length} characters long, at most ${REPLY_CHARACTERS_MAX}`)
      return { ok: true, head, body: '', result: reply === null ? 'miss' : 'ok', target }
    } catch (error) {
      return refusedBy(error as Error, target)
    }
  }

  #linkOf({ unit }: HostCall): RedisLink {
    if (unit.source === undefined) throw new Wrong('only units that follow a source have it')
    const way = this.#ways.get(unit.source)
    if (way === undefined) throw new Wrong(`the source ${unit.source} is not configured any more`)
    return way.link
  }
}

function refusedBy(error: Error, target: string): HostAnswer {
  const say = (code: string, name = 'Error') => refusal(code, `redis_client: ${error.message}`, name, target)
  if (error instanceof Wrong) return say('redis-invalid', 'TypeError')
  if (error instanceof RedisRefusal) return say('redis-refused')
  return say(error instanceof EdgeError ? 'redis-unavailable' : 'redis-failed')
}

function parse({ head, kind }: HostCall): Given {
  let given: Partial<Record<keyof Given, unknown>> | null
  try {
    given = JSON.parse(head) as typeof given
  } catch {
    throw new Wrong('not in form')
  }
  const { command, args } = given ?? {}
  if (typeof command !== 'string' || !Array.isArray(args)) throw new Wrong('not in form')
  const isWrite = REDIS_COMMANDS.get(command)
  if (isWrite === undefined) throw new Wrong(`no unit may give the command \`${command.slice(0, 40)}\``)
  // What reads is run again after a crash: a write must not pass for it.
  if (isWrite !== (kind === 'redis.write')) throw new Wrong('not in form')
  if (args.length === 0) throw new Wrong(`\`${command}\` takes a key`)
  if (args.length > ARGUMENTS_MAX || !args.every((arg) => typeof arg === 'string'))
    throw new Wrong(`\`${command}\` takes texts, at most ${ARGUMENTS_MAX}`)
  return { command, args: args as string[] }
}

/** Fields and their values in turn, as an object. */
function fieldsOf(reply: RedisReply): unknown {
  if (!Array.isArray(reply)) return reply
  const list = reply as readonly RedisReply[]
  return Object.fromEntries(
    Array.from({ length: list.length / 2 }, (_, at) => [String(list[at * 2]), list[at * 2 + 1]]),
  )
}
