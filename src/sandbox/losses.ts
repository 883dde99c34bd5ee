/**
 * What becomes of runs whose isolate was cut off, or whose process died: the one that ran is judged by the CPU time it used, and all
 * else that was lost is sent again.
 */
import { Invocation } from './invocation.ts'
import { BACKGROUND_LOST, BUSY, culprit, ONCE_ONLY, overLimit } from './judgement.ts'
import type { InvocationTable } from './invocation-table.ts'
import { LOG_LEVELS, SLICE_MS } from './protocol.ts'
import type { Cut, Entry, Lane, LaneSlot } from './lane.ts'
import type { UnitSlot } from './unit-slot.ts'
import type { FailureReason } from '../contract/unit.ts'

/** Tries after its own unit was cut off, and after processes died: then it is given up. */
const RETRIES_MAX = 3
const MOVES_MAX = 8
/** The longest trip wire, as a multiple: for a machine so busy that nobody gets anywhere. */
const PATIENCE_MAX = 64
/** With so much time a gap in which the core was away does not end a run: what is unclear until then is clear. */
const PATIENCE_CLEAR = 16
const WARN = LOG_LEVELS.indexOf('warn')

/** What is done about it; all of it may happen at once. */
export interface LossEvents {
  /** A run was cut off, and its unit is to blame. Before the invocation is settled. */
  blamed(unit: UnitSlot, reason: FailureReason): void
  logged(unit: UnitSlot, level: number, text: string, where: string): void
  replayed(): void
  send(invocation: Invocation): void
  fail(invocation: Invocation, reason: FailureReason, message: string): void
}

export class Losses {
  readonly #running: InvocationTable
  readonly #events: LossEvents

  constructor(running: InvocationTable, events: LossEvents) {
    this.#running = running
    this.#events = events
  }

  /** The isolate is gone: judges the entry that ran, and sends the others again. */
  cut(
    slot: LaneSlot,
    entries: readonly Entry[],
    { reason, cpuUs, progress, runningId, message, patience }: Cut,
    isStillThere = false,
  ): void {
    const { unit } = slot
    this.#tellLostBackground(slot)
    const lost = [...unanswered(slot, entries), ...slot.pending]
    const streams = [...slot.streams.values()]
    if (isStillThere) slot.lane.discard(slot)
    else slot.lane.markGone(slot)
    if (reason === 'install') {
      this.#events.blamed(unit, 'syntax')
      for (const invocation of lost) this.#events.fail(invocation, 'syntax', message)
      return
    }
    const streaming = streams.map(({ invocation }) => invocation)
    const ran = culprit(entries[progress], runningId, [...lost, ...streaming])
    const { cpuMs } = unit.unit.manifest.limits
    // Entries before it may have used up to a slice of the time.
    const allowedMs = progress > 0 ? cpuMs + SLICE_MS : cpuMs
    if (reason === 'timeout' && !this.#isOver(slot, cpuUs / 1000, allowedMs, patience)) {
      for (const stream of streams) stream.lost('crash', BUSY)
      this.#sendAgainWithPatience(lost, ran, patience)
      return
    }
    // A core that the machine's host took away counts as CPU time: who was so unlucky once is not twice.
    if (reason === 'timeout' && ran && !ran.isSuspect && !ran.hasEffects) {
      ran.isSuspect = true
      for (const stream of streams) stream.lost('crash', 'another run of it used too much CPU')
      this.#sendAgainWithPatience(lost, ran, 1)
      return
    }
    const why = reason === 'timeout' ? 'cpu' : reason === 'memory' ? 'memory' : 'throw'
    const text = why === 'cpu' ? overLimit(cpuUs, cpuMs) : message
    this.#events.blamed(unit, why)
    if (ran && !ran.stream) this.#events.fail(ran, why, text)
    for (const stream of streams) {
      if (stream.invocation === ran) stream.lost(why, text)
      else stream.lost('crash', `another run of it failed (${why})`)
    }
    for (const invocation of lost) {
      if (invocation === ran) continue
      // Where it cannot be said which, each is tried alone, and not for ever.
      if (!ran && ++invocation.retries > RETRIES_MAX) this.#events.fail(invocation, why, text)
      else this.#replay(invocation, 2, `another run of it failed (${why})`)
    }
  }

  #isOver({ lane }: LaneSlot, cpuMs: number, allowedMs: number, patience: number): boolean {
    const usedMs = patience < PATIENCE_CLEAR ? cpuMs - lane.lostMs() : cpuMs
    return usedMs >= allowedMs
  }

  /** The machine was busy: more time for the one that ran, no blame for anybody. */
  #sendAgainWithPatience(lost: readonly Invocation[], ran: Invocation | undefined, patience: number): void {
    for (const invocation of lost) {
      const mayBeIt = ran === undefined || invocation === ran
      if (!mayBeIt) this.#replay(invocation, 1, BUSY)
      else if (patience < PATIENCE_MAX) this.#replay(invocation, patience * 2, BUSY)
      else this.#events.fail(invocation, 'wall', BUSY)
    }
  }

  /** Work that went on after an answer went down with its isolate, and is not begun again. */
  #tellLostBackground(slot: LaneSlot): void {
    for (const id of slot.background.keys()) {
      if (this.#running.at(slot, id) === undefined) this.#events.logged(slot.unit, WARN, BACKGROUND_LOST, '')
    }
  }

  /**
   * The lane is dead: all that was on it moves to where its unit runs now, in the order in which it came. What is in
   * the unit to blame fails.
   */
  moveFrom(lane: Lane, guilty: UnitSlot | undefined, reason: FailureReason, message: string): void {
    for (const slot of lane.slots.values()) {
      this.#tellLostBackground(slot)
      lane.markGone(slot)
      const why = slot.unit === guilty ? reason : 'crash'
      for (const stream of slot.streams.values()) stream.lost(why, message)
    }
    for (const invocation of this.#running.all()) {
      if (invocation.where?.lane !== lane || invocation.outcome !== 'running') continue
      if (invocation.unit === guilty) this.#events.fail(invocation, reason, message)
      else if (++invocation.moves > MOVES_MAX) this.#events.fail(invocation, 'crash', 'sandboxes keep dying')
      else this.#replay(invocation, invocation.patience, message)
    }
  }

  /** Sends it again, unless it did what cannot be done twice. `why` is what happened to it. */
  #replay(invocation: Invocation, patience: number, why: string): void {
    if (invocation.hasEffects) {
      this.#events.fail(invocation, 'crash', ONCE_ONLY + why)
      return
    }
    invocation.patience = Math.max(patience, 1)
    if (invocation.account !== undefined) invocation.account.runs += 1
    this.#events.replayed()
    this.#events.send(invocation)
  }
}

/** Those of the entries that are still without an answer, and not elsewhere. */
export function unanswered(slot: LaneSlot, entries: readonly Entry[]): Invocation[] {
  const left: Invocation[] = []
  for (const entry of entries) {
    if (!(entry instanceof Invocation) || entry.outcome !== 'running') continue
    if (entry.where === slot && !slot.pending.has(entry)) left.push(entry)
  }
  return left
}
