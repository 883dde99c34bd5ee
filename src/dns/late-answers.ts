/**
 * Answers that are promised: each comes within ten seconds or is SERVFAIL, and there may be so many of them.
 *
 * All wait equally long, so they stand in a row in the order in which they are due, and one timer a second is enough for all of them. Whoever was
 * answered leaves the row at once: behind one that hangs there may be a million that did not.
 */
import type { DnsOutcome } from '../contract/dns.ts'
import { RCODE } from '../wire/dns/codes.ts'
import type { ServerQuery } from './query.ts'

const ANSWER_MAX_MS = 10_000
const LOOK_EVERY_MS = 1000
const WAITING_MAX = 20_000

interface Late {
  readonly query: ServerQuery
  readonly dueMs: number
  readonly settle: (outcome: DnsOutcome) => void
  earlier: Late | undefined
  later: Late | undefined
}

export class LateAnswers {
  readonly #answerMaxMs: number
  readonly #waitingMax: number
  /** The row: the one that is due first, and the one that is due last. */
  #first: Late | undefined
  #last: Late | undefined
  #waiting = 0
  #timer: NodeJS.Timeout | undefined
  #onIdle: (() => void) | undefined

  constructor(answerMaxMs = ANSWER_MAX_MS, waitingMax = WAITING_MAX) {
    this.#answerMaxMs = answerMaxMs
    this.#waitingMax = waitingMax
  }

  get isFull(): boolean {
    return this.#waiting >= this.#waitingMax
  }

  /** The outcome, or SERVFAIL where it does not come in time or there are too many. What comes later is dropped. Never rejects. */
  bounded(query: ServerQuery, outcome: Promise<DnsOutcome>): DnsOutcome | Promise<DnsOutcome> {
    if (this.isFull) {
      outcome.catch(() => undefined)
      return tooMany(query)
    }
    return new Promise((resolve) => {
      let isSettled = false
      const late: Late = {
        query,
        dueMs: performance.now() + this.#answerMaxMs,
        settle: (settled) => {
          if (isSettled) return
          isSettled = true
          this.#leave(late)
          resolve(settled)
        },
        earlier: this.#last,
        later: undefined,
      }
      if (this.#last) this.#last.later = late
      else this.#first = late
      this.#last = late
      this.#waiting += 1
      this.#timer ??= setInterval(() => this.#look(), Math.min(LOOK_EVERY_MS, this.#answerMaxMs)).unref()
      outcome.then(late.settle, () => late.settle(RCODE.SERVFAIL))
    })
  }

  /** Resolves once nobody waits any more, or after that time. */
  async idle(withinMs: number): Promise<void> {
    if (this.#waiting === 0) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, withinMs)
      this.#onIdle = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  #look(): void {
    const nowMs = performance.now()
    for (let late = this.#first; late && late.dueMs <= nowMs; late = this.#first) {
      const { query, settle } = late
      query.explain('other', `${query.answeredBy}: no answer within ${this.#answerMaxMs / 1000} s`)
      settle(RCODE.SERVFAIL)
    }
  }

  #leave(late: Late): void {
    const { earlier, later } = late
    if (earlier) earlier.later = later
    else this.#first = later
    if (later) later.earlier = earlier
    else this.#last = earlier
    late.earlier = undefined
    late.later = undefined
    this.#waiting -= 1
    if (this.#waiting > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
    this.#onIdle?.()
  }
}

/** What may be said to a query that cannot wait any more. */
export function tooMany(query: ServerQuery): DnsOutcome {
  query.explain('not ready', 'too many queries wait for their answers')
  return RCODE.SERVFAIL
}
