/**
 * Answers that are promised: each comes within ten seconds or is SERVFAIL, and there may be so many of them.
 *
 * All wait equally long, so they stand in a queue in the order in which they are due, and one timer a second is enough for all of them.
 */
import type { DnsOutcome } from '../contract/dns.ts'
import { RCODE } from '../wire/dns/codes.ts'
import type { ServerQuery } from './query.ts'

const ANSWER_MAX_MS = 10_000
const LOOK_EVERY_MS = 1000
const WAITING_MAX = 50_000

interface Late {
  readonly query: ServerQuery
  readonly dueMs: number
  readonly settle: (outcome: DnsOutcome) => void
  isSettled: boolean
}

export class LateAnswers {
  readonly #answerMaxMs: number
  readonly #waitingMax: number
  /** In the order in which they are due; those that were answered meanwhile are among them. */
  #queue: Late[] = []
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

  /** The outcome, or SERVFAIL where it does not come in time. What comes later is dropped. */
  bounded(query: ServerQuery, outcome: Promise<DnsOutcome>): Promise<DnsOutcome> {
    return new Promise((resolve) => {
      const late: Late = {
        query,
        dueMs: performance.now() + this.#answerMaxMs,
        isSettled: false,
        settle: (settled) => {
          if (late.isSettled) return
          late.isSettled = true
          this.#waiting -= 1
          resolve(settled)
          if (this.#waiting === 0) this.#rest()
        },
      }
      this.#waiting += 1
      this.#queue.push(late)
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
    let due = 0
    for (; due < this.#queue.length; due++) {
      const late = this.#queue[due]!
      if (late.isSettled) continue
      if (late.dueMs > nowMs) break
      late.query.explain('other', `${late.query.answeredBy}: no answer within ${this.#answerMaxMs / 1000} s`)
      late.settle(RCODE.SERVFAIL)
    }
    if (due > 0) this.#queue = this.#queue.slice(due)
  }

  #rest(): void {
    this.#queue = []
    clearInterval(this.#timer)
    this.#timer = undefined
    this.#onIdle?.()
  }
}
