/**
 * Bans that were asked for on this node and are not in the log yet: they stand here at once, and are passed on to whoever writes the log, again and
 * again while that is away. They outlive a restart (`bans-waiting.json`).
 */
import { join } from 'node:path'
import * as v from 'valibot'
import { backOffMs } from '../../base/back-off.ts'
import { parseCidr } from '../../base/cidr.ts'
import type { Clock } from '../../base/clock.ts'
import { EdgeError } from '../../base/errors.ts'
import type { Timers } from '../../base/timers.ts'
import { readWhole, writeWhole } from '../../base/whole-file.ts'
import { BAN_MIN_MS, type BanOutcome, type BanRecord } from '../../contract/bans.ts'
import type { Log } from '../log.ts'
import type { BanBook } from './ban-book.ts'
import { SeldomLines } from './seldom-lines.ts'

/** One on its way. */
export interface PassedBan {
  readonly prefix: string
  readonly forMs: number
  readonly reason: string
  readonly by: string
  readonly node: string
}

export interface WaitingBansParts {
  /** The data directory. */
  readonly directory: string
  readonly clock: Clock
  readonly timers: Timers
  readonly random: () => number
  readonly log: Log
  readonly book: BanBook
  /** Hands them to whoever writes the log, which says what became of each. Throws where nobody answers. */
  readonly pass: (bans: readonly PassedBan[]) => Promise<readonly BanOutcome[]>
}

/** That wait at once; the log may hold more. */
export const WAITING_MAX = 10_000
const PASSED_AT_ONCE = 1000
const WRITE_AFTER_MS = 100

const WaitingFile = v.array(
  v.object({
    prefix: v.string(),
    until: v.number(),
    at: v.number(),
    reason: v.string(),
    by: v.string(),
    node: v.string(),
  }),
)

export class WaitingBans {
  readonly #parts: WaitingBansParts
  readonly #path: string
  readonly #lines: SeldomLines
  #isOn = false
  #isPassing = false
  #failures = 0
  #callOffPass: (() => void) | undefined
  #callOffWrite: (() => void) | undefined
  /** Told when a round of passing on is over. */
  #rounds = Promise.withResolvers<void>()

  constructor(parts: WaitingBansParts) {
    this.#parts = parts
    this.#path = join(parts.directory, 'bans-waiting.json')
    const { log, clock, book } = parts
    this.#lines = new SeldomLines(clock)
    const kept = readWhole(
      this.#path,
      (value) => v.parse(WaitingFile, value),
      (why) => log.warn(`bans that were not in the log yet are lost: ${why}`),
    )
    for (const { prefix, ...record } of kept ?? []) {
      const forMs = record.until - clock.now()
      // On a clock that was set back it goes on for no longer than it was made for.
      if (forMs > 0 && parseCidr(prefix)) book.wait(prefix, record, Math.min(forMs, record.until - record.at))
    }
  }

  /** Also after `stop`. */
  start(): void {
    this.#isOn = true
    this.#soon(0)
  }

  stop(): void {
    this.#isOn = false
    this.#callOffPass?.()
    this.#callOffPass = undefined
    this.#callOffWrite?.()
    if (this.#callOffWrite !== undefined) this.#write()
    this.#callOffWrite = undefined
  }

  /** From now on it stands here. Throws `ban-limit`. */
  add(prefix: string, record: BanRecord, forMs: number): void {
    const { book } = this.#parts
    if (book.waitingCount >= WAITING_MAX && !book.isWaiting(prefix))
      throw new EdgeError(
        'ban-limit',
        `${WAITING_MAX} bans wait to be written to the log: ${prefix} is not one of them`,
      )
    book.wait(prefix, record, forMs)
    this.#writeSoon()
    if (this.#failures === 0) this.#soon(0)
  }

  drop(prefix: string): boolean {
    const isThere = this.#parts.book.dropWaiting(prefix)
    if (isThere) this.#writeSoon()
    return isThere
  }

  /** Resolves when what waits now was passed on once, with or without an answer. */
  async tried(): Promise<void> {
    if (this.#isOn && (this.#isPassing || this.#callOffPass !== undefined)) await this.#rounds.promise
  }

  #soon(ms: number): void {
    if (!this.#isOn || this.#isPassing || this.#callOffPass !== undefined) return
    this.#callOffPass = this.#parts.timers.later(ms, () => {
      this.#callOffPass = undefined
      void this.#passAll()
    })
  }

  async #passAll(): Promise<void> {
    const { book, pass, log, random } = this.#parts
    this.#isPassing = true
    try {
      for (;;) {
        const left = book.toPass().filter(({ forMs }) => forMs >= BAN_MIN_MS)
        if (left.length === 0 || !this.#isOn) break
        const bans = left.slice(0, PASSED_AT_ONCE)
        const outcomes = await pass(
          bans.map(({ prefix, forMs, record: { reason, by, node } }) => ({
            prefix,
            forMs,
            reason,
            by,
            node,
          })),
        )
        for (const [index, { prefix, record }] of bans.entries()) {
          const outcome = outcomes[index]
          if (outcome === undefined || 'code' in outcome) {
            const why = outcome?.message ?? 'the control plane does not say what became of it'
            const rest = this.#lines.due(`${record.by} ${outcome?.code}`)
            if (rest !== undefined) log.warn(`the ban of ${prefix} ends: ${why}${rest}`)
            book.dropWaiting(prefix)
          } else book.passed(prefix)
        }
        this.#writeSoon()
      }
      if (this.#failures > 1) log.info('bans of this node are in the log again')
      this.#failures = 0
    } catch (error) {
      this.#failures += 1
      // One that failed is nothing to tell: the next one goes through.
      if (this.#failures === 2)
        log.warn(`bans of this node stand here, and are not in the log yet: ${(error as Error).message}`)
    }
    this.#isPassing = false
    const { resolve } = this.#rounds
    this.#rounds = Promise.withResolvers<void>()
    resolve()
    if (this.#failures > 0) this.#soon(backOffMs(this.#failures, random))
    else if (book.toPass().some(({ forMs }) => forMs >= BAN_MIN_MS)) this.#soon(0)
  }

  #writeSoon(): void {
    this.#callOffWrite ??= this.#parts.timers.later(WRITE_AFTER_MS, () => {
      this.#callOffWrite = undefined
      this.#write()
    })
  }

  #write(): void {
    const { book, log } = this.#parts
    const kept = book.toPass().map(({ prefix, record }) => ({ prefix, ...record }))
    try {
      writeWhole(this.#path, JSON.stringify(kept))
    } catch (error) {
      log.warn(`bans that are not in the log yet do not outlive a restart: ${(error as Error).message}`)
    }
  }
}
