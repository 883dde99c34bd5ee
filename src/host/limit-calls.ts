/**
 * `edge.limit(name).take(key, cost)` for the units of a worker: decided here, in memory that all workers share.
 *
 * What is taken is taken once: where the isolate of an invocation goes down through no fault of its own and the invocation is run again, each of its questions is
 * answered as it was the first time. So taking stands in nobody's way of being run again, as a write to key/value data does.
 */
import { createHash } from 'node:crypto'
import { nearest } from '../base/nearest.ts'
import { RATE_COUNT_MAX } from '../base/rate.ts'
import { asciiJson, refusal, type HostAnswer, type HostCall } from '../contract/host-calls.ts'

/** What a limit says. Times in milliseconds; `retryAfterMs` is `Infinity` where it would never be allowed. */
export interface LimitAnswer {
  readonly allowed: boolean
  readonly remaining: number
  readonly retryAfterMs: number
  readonly resetMs: number
  readonly waitMs?: number
}

/** The limits that units may ask for. */
export interface NamedLimits {
  /**
   * Takes `cost` of what `key` may take of the limit called `name`: of the unit's own, or else of the site's, or else of the node's. Undefined where there is none
   * of that name. Throws a RangeError where the limit cannot be asked so.
   */
  take(
    asker: LimitAsker,
    name: string,
    key: string,
    cost: number,
  ): LimitAnswer | Promise<LimitAnswer> | undefined
  /** Of all limits that it may ask for. */
  names(asker: LimitAsker): readonly string[]
}

export interface LimitAsker {
  readonly unit: { readonly name: string; readonly version: number }
  /** Name of the request's site; undefined where there is none. */
  readonly site: string | undefined
}

type Answer = (answer: HostAnswer) => void

/** Characters of a key. */
const LIMIT_KEY_MAX = 65_536
/** Questions of one invocation: their answers are kept until it is over. */
const QUESTIONS_MAX = 1000
/** Of a longer question a digest is kept: keys may have 64 KiB each. */
const HEAD_KEPT_MAX = 256
/** Of a name, or a key, in what people read. */
const SHOWN_MAX = 100

export class LimitCalls {
  readonly #limits: NamedLimits

  constructor(limits: NamedLimits) {
    this.#limits = limits
  }

  start(call: HostCall, answer: Answer): undefined {
    const question = parse(call.head)
    if (typeof question === 'string') {
      answer(refusal('limit-invalid', `edge.limit: ${question}`, 'RangeError'))
      return undefined
    }
    const asked = this.#ask(call, question)
    if (asked instanceof Promise) void asked.then(answer)
    else answer(asked)
    return undefined
  }

  /** Once for each question, however often the invocation is run. */
  #ask(call: HostCall, question: Question): HostAnswer | Promise<HostAnswer> {
    const { account, unit } = call
    const taken = (account.taken ??= { byQuestion: new Map(), count: 0 })
    const key = `${unit.name} ${call.head.length <= HEAD_KEPT_MAX ? call.head : digestOf(call.head)}`
    let asked = taken.byQuestion.get(key)
    if (asked === undefined) taken.byQuestion.set(key, (asked = { answers: [], run: account.runs, next: 0 }))
    if (asked.run !== account.runs) {
      asked.run = account.runs
      asked.next = 0
    }
    const before = asked.answers[asked.next]
    if (before !== undefined) {
      asked.next += 1
      return before
    }
    if (taken.count >= QUESTIONS_MAX) {
      const message = `edge.limit: more than ${QUESTIONS_MAX} questions of one request`
      return refusal('call-limit', message, 'Error', target(question))
    }
    const answer = this.#decide({ unit, site: account.site }, question)
    taken.count += 1
    asked.answers.push(answer)
    asked.next += 1
    return answer
  }

  #decide(asker: LimitAsker, { name, key, cost }: Question): HostAnswer | Promise<HostAnswer> {
    const shown = target({ name, key })
    let came
    try {
      came = this.#limits.take(asker, name, key, cost)
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      return refusal('limit-invalid', `edge.limit: ${error.message}`, 'RangeError', shown)
    }
    if (came === undefined) return refusal('limit-unknown', this.#unknown(asker, name), 'Error', shown)
    if (!(came instanceof Promise)) return answerOf(came, shown)
    return came.then(
      (later) => answerOf(later, shown),
      (error: Error) => refusal('limit-failed', `edge.limit: ${error.message}`, 'Error', shown),
    )
  }

  #unknown(asker: LimitAsker, name: string): string {
    const names = this.#limits.names(asker)
    const guess = nearest(name, names)
    const help =
      names.length === 0
        ? '`limits` in the configuration has none'
        : guess === undefined
          ? `there are ${names.slice(0, 20).join(', ')}`
          : `did you mean \`${guess}\`?`
    return `edge.limit: there is no limit called \`${name.slice(0, SHOWN_MAX)}\`: ${help}`
  }
}

interface Question {
  readonly name: string
  readonly key: string
  readonly cost: number
}

/** What is wrong with it, in words, where it is none. */
function parse(head: string): Question | string {
  let given: Partial<Record<keyof Question, unknown>> | null
  try {
    given = JSON.parse(head) as typeof given
  } catch {
    return 'not in form'
  }
  if (typeof given !== 'object' || given === null) return 'not in form'
  const { name, key, cost } = given
  if (typeof name !== 'string' || typeof key !== 'string') return 'not in form'
  if (key.length > LIMIT_KEY_MAX)
    return `a key of ${key.length} characters, and a key has at most ${LIMIT_KEY_MAX}`
  if (typeof cost !== 'number' || !Number.isInteger(cost) || cost < 0 || cost > RATE_COUNT_MAX)
    return `what is taken is a whole number from 0 to ${RATE_COUNT_MAX}, not ${JSON.stringify(cost)?.slice(0, 40)}`
  return { name, key, cost }
}

const digestOf = (head: string): string => createHash('sha256').update(head).digest('base64')

const target = ({ name, key }: Pick<Question, 'name' | 'key'>): string => `${name} ${key}`.slice(0, SHOWN_MAX)

/** `Infinity` crosses as null. */
function answerOf(came: LimitAnswer, shown: string): HostAnswer {
  const { allowed, remaining, retryAfterMs, resetMs, waitMs } = came
  return {
    ok: true,
    head: asciiJson({ allowed, remaining, retryAfterMs, resetMs, waitMs }),
    body: '',
    result: allowed ? 'allowed' : 'refused',
    target: shown,
  }
}
