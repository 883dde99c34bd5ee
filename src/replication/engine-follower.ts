/**
 * Keeps the replica of a control plane abreast of the log that an engine keeps, whoever writes it: reads on where it stands, and takes a
 * snapshot where the log does not go on from there.
 *
 * One reading at a time; what asks meanwhile has another one follow. Trouble with the engine changes nothing here: the node goes on with what
 * it has, and asks again later and later, with some chance in it.
 */
import { backOffMs } from '../base/back-off.ts'
import { EdgeError } from '../base/errors.ts'
import type { Timers } from '../base/timers.ts'
import type { SharedLog } from '../contract/shared-log.ts'
import type { LocalStore, LogEntry, Position } from '../contract/store.ts'
import { wholeAppends } from '../store/chain.ts'
import { assertNotEmptied, putBack } from '../store/log-guards.ts'

export interface EngineFollowerOptions {
  readonly store: LocalStore
  readonly log: SharedLog
  /** The engine, as the replica remembers whose it is. */
  readonly keeper: string
  /** The replica has moved. */
  readonly onAdvanced: () => void
  /** Once for each trouble, and again when it is over. */
  readonly onTrouble: (message: string | undefined) => void
  readonly random: () => number
  readonly timers: Timers
}

/** Entries that are read at once. */
const READ_AT_ONCE = 1000

export class EngineFollower {
  readonly #options: EngineFollowerOptions
  #reading: Promise<void> | undefined
  #isAskedAgain = false
  /** Somebody has seen it elsewhere. */
  #doubtedId = 0
  #unwatch = () => {}
  #callOffRetry = () => {}
  #failures = 0
  #isClosed = false

  constructor(options: EngineFollowerOptions) {
    this.#options = options
  }

  /** Follows from here on, also after `close`. */
  start(): void {
    this.#isClosed = false
    this.#unwatch = this.#options.log.watch(() => this.#read())
    this.#read()
  }

  close(): void {
    this.#isClosed = true
    this.#callOffRetry()
    this.#unwatch()
  }

  /** Whether the engine answered when it was asked last. */
  get isFollowing(): boolean {
    return this.#failures === 0
  }

  /**
   * Whether the log may have this id, which somebody saw elsewhere and this replica has not. The engine is asked, and `onAdvanced` called once it
   * has answered; where that did not bring it, there is none.
   */
  mayBeBehind(id: number): boolean {
    if (id <= this.#doubtedId && !this.#reading && this.#failures === 0) {
      this.#doubtedId = 0
      return false
    }
    this.#doubtedId = Math.max(id, this.#doubtedId)
    this.#read()
    return true
  }

  /** Resolves when the replica has all that was in the log when this was asked. Throws what the engine throws. */
  async catchUp(): Promise<void> {
    // One that is under way may have read the end before the last entry came.
    if (this.#reading) await this.#reading.catch(() => undefined)
    this.#reading ??= this.#readAll().finally(() => (this.#reading = undefined))
    await this.#reading
  }

  #read(): void {
    if (this.#isClosed) return
    if (this.#reading) {
      this.#isAskedAgain = true
      return
    }
    this.#callOffRetry()
    this.catchUp().then(
      () => {
        if (this.#failures > 0) this.#options.onTrouble(undefined)
        this.#failures = 0
        if (this.#doubtedId > 0) this.#options.onAdvanced()
        if (!this.#isAskedAgain) return
        this.#isAskedAgain = false
        this.#read()
      },
      (error: Error) => {
        if (this.#isClosed) return
        if (this.#failures === 0) this.#options.onTrouble(error.message)
        this.#failures++
        const { timers, random } = this.#options
        this.#callOffRetry = timers.later(backOffMs(this.#failures, random), () => this.#read())
      },
    )
  }

  async #readAll(): Promise<void> {
    const { store, log, onAdvanced } = this.#options
    /** The end of what was read: the rest of its append may come with what is read next. */
    let held: readonly LogEntry[] = []
    for (;;) {
      const last = held.at(-1)
      const from = store.position()
      const entries = await log.read(last ? { ...from, id: last.id, hash: last.hash } : from, READ_AT_ONCE)
      if (this.#isClosed) return
      if (entries === 'reset') {
        held = []
        await this.#begin()
        onAdvanced()
        continue
      }
      const isEnd = entries.length === 0
      const read = [...held, ...entries]
      const whole = isEnd ? read : wholeAppends(read)
      held = read.slice(whole.length)
      // The writer of this node may have put its own there meanwhile.
      const fresh = whole.filter(({ id }) => id > store.position().id)
      if (fresh.length > 0) {
        store.apply(fresh)
        onAdvanced()
      }
      if (isEnd) return
    }
  }

  /** The log does not go on from where this replica stands. */
  async #begin(): Promise<void> {
    const { store, log, keeper, onTrouble } = this.#options
    const [here, there] = [store.position(), await log.head()]
    if (store.keeper() === undefined && here.id > 0 && there.log !== here.log) {
      throw new EdgeError(
        'store-foreign',
        `the data directory has a store of its own, and ${keeper} another one`,
      )
    }
    const hint =
      'put it back with `orla store migrate`, or stop the node and move its data directory away to start empty'
    assertNotEmptied(keeper, here, there, hint)
    if (there.log === here.log && there.id < here.id && (await this.#putBack(there))) return
    const { position, entries } = await log.snapshot()
    if (this.#isClosed) return
    const load = store.load(position, keeper)
    load.add(entries)
    load.commit()
    if (there.log !== here.log || here.id === 0) return
    const why =
      there.id < here.id
        ? `went another way than what was acknowledged up to ${here.id}`
        : `does not go on from ${here.id}, where this replica stood: it was let go of up to there, or has lost what was acknowledged`
    onTrouble(`the log of ${keeper} ${why}: its state is taken as it is`)
  }

  async #putBack(there: Position): Promise<boolean> {
    const { store, log, keeper, onTrouble } = this.#options
    const count = await putBack(log, there, (after, limit) => store.entriesAfter(after, limit))
    if (count === undefined) return false
    onTrouble(`${keeper} had lost ${count} entries after ${there.id}: they were put back`)
    return true
  }
}
