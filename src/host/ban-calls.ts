/** `edge.ban` for the units of a worker: read here, and asked of the node, which has it stand on all of them. */
import { parseDuration } from '../base/quantity.ts'
import { BAN_MAX_MS, BAN_MIN_MS, type BanAsking } from '../contract/bans.ts'
import { asciiJson, refusal, type HostAnswer, type HostCall } from '../contract/host-calls.ts'

/** Bans that units wait for, on one worker. */
const WAITING_MAX = 1000
/** Longer texts are no prefix. */
const TARGET_MAX = 64
const TIME_EXPECTED = 'a time from "1s" to "366d", or as many milliseconds'

export class BanCalls {
  readonly #bans: BanAsking
  #waiting = 0

  constructor(bans: BanAsking) {
    this.#bans = bans
  }

  start({ unit, head }: HostCall, answer: (answer: HostAnswer) => void): undefined {
    const asked = parseBan(head)
    if (typeof asked === 'string') {
      answer(refusal('ban-invalid', `edge.ban: ${asked}`, 'RangeError'))
      return undefined
    }
    const { prefix } = asked
    if (this.#waiting >= WAITING_MAX) {
      const message = `edge.ban: more than ${WAITING_MAX} bans are under way`
      answer(refusal('ban-limit', message, 'Error', prefix))
      return undefined
    }
    this.#waiting += 1
    void this.#bans
      .ban({ ...asked, by: `unit ${unit.name}`, ...(unit.sites && { sites: unit.sites }) })
      .then((outcome) => {
        this.#waiting -= 1
        if ('code' in outcome) answer(refusal(outcome.code, `edge.ban: ${outcome.message}`, 'Error', prefix))
        else answer({ ok: true, head: asciiJson(outcome), body: '', result: 'ok', target: outcome.prefix })
      })
    return undefined
  }
}

/** What is asked for, or what is wrong with it. The prefix is read where the bans are. */
export function parseBan(head: string): { prefix: string; forMs: number; reason: string } | string {
  let given: Readonly<Record<string, unknown>> | null
  try {
    given = JSON.parse(head) as typeof given
  } catch {
    return 'not in form'
  }
  const { target, for: duration, reason = '' } = given ?? {}
  if (typeof target !== 'string' || typeof reason !== 'string') return 'not in form'
  if (target.length > TARGET_MAX)
    return `${JSON.stringify(target.slice(0, TARGET_MAX))}… is no address or prefix`
  const forMs = typeof duration === 'string' ? parseDuration(duration) : duration
  const isTime =
    typeof forMs === 'number' && Number.isInteger(forMs) && forMs >= BAN_MIN_MS && forMs <= BAN_MAX_MS
  if (!isTime) return `${JSON.stringify(duration)?.slice(0, 40)} is not ${TIME_EXPECTED}`
  return { prefix: target, forMs, reason }
}
