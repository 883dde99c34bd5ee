/** `edge.limit` and `edge.ban`: what they take goes out as it is, checked by the host. */
import { BODY_TEXT } from '../protocol.ts'
import { callError, sendCall } from './calls.ts'
import { describe } from './fields.ts'
import { checkMaker } from './illegal-constructor.ts'
import { isInteger, parseJson, stringifyJson, toStringTagSymbol, toWellFormed } from './primordials.ts'

/** A limit by its name. Whether there is one of this name is found where it is asked. */
export class Limit {
  readonly #id: number
  readonly #name: string

  constructor(maker: unknown, id: number, name: unknown) {
    checkMaker(maker)
    if (typeof name !== 'string')
      throw new TypeError(`edge.limit takes the name of a limit, not ${describe(name)}`)
    this.#id = id
    this.#name = toWellFormed(name)
  }

  async take(key: unknown, cost: unknown = 1): Promise<unknown> {
    if (typeof key !== 'string') throw new TypeError(`a key is text, not ${describe(key)}`)
    if (!isInteger(cost) || (cost as number) < 0)
      throw new RangeError(`what is taken is a whole number from 0, not ${describe(cost)}`)
    const head = stringifyJson({ name: this.#name, key: toWellFormed(key), cost })
    const answer = await sendCall(this.#id, 'limit.take', head, '', BODY_TEXT).answer
    if (!answer.isOk) throw callError(answer.head)
    const decision = parseJson(answer.head) as { retryAfterMs: number | null }
    // JSON has no such number.
    if (decision.retryAfterMs === null) decision.retryAfterMs = Infinity
    return decision
  }

  get name(): string {
    return this.#name
  }

  get [toStringTagSymbol](): string {
    return 'Limit'
  }
}

export async function ban(
  id: number,
  target: unknown,
  duration: unknown,
  options: unknown,
): Promise<unknown> {
  if (typeof target !== 'string')
    throw new TypeError(`edge.ban takes an address or a prefix as text, not ${describe(target)}`)
  if (typeof duration !== 'string' && typeof duration !== 'number')
    throw new TypeError(`edge.ban takes a time such as "10m", or milliseconds, not ${describe(duration)}`)
  // JSON has no such numbers.
  if (typeof duration === 'number' && !isInteger(duration))
    throw new RangeError(
      `edge.ban takes a time such as "10m", or whole milliseconds, not ${describe(duration)}`,
    )
  if (options !== undefined && (typeof options !== 'object' || options === null))
    throw new TypeError(`the options of edge.ban are an object such as { reason }, not ${describe(options)}`)
  const { reason } = (options ?? {}) as { reason?: unknown }
  if (reason !== undefined && typeof reason !== 'string')
    throw new TypeError(`the reason of a ban is text, not ${describe(reason)}`)
  const head = stringifyJson({ target: toWellFormed(target), for: duration, reason })
  const answer = await sendCall(id, 'ban', head, '', BODY_TEXT).answer
  if (!answer.isOk) throw callError(answer.head)
  return parseJson(answer.head)
}
