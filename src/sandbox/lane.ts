/**
 * A way to isolates: queues entries by unit, sends them in frames, and keeps what is sent until it is answered.
 *
 * What arrives in one turn of the event loop goes over together. One sending is under way, or two where the first takes
 * its time; what comes meanwhile queues, so that batches grow under load and nobody is woken for one request. A lane leads to a
 * sandbox process (`process-lane.ts`) or to isolates in this one (`inline-lane.ts`).
 */
import { PaceBudget } from '../base/pace-budget.ts'
import { invokeEntry } from './guest-text.ts'
import { abandonCalls, LATE_CALLS, type AnswerEntry, type Background, type OpenCall } from './call-desk.ts'
import type { AnswerStream } from './answer-streams.ts'
import type { FetchedBody } from './fetched-bodies.ts'
import { FORGET, TIMER_FIRED } from './protocol.ts'
import { TimerSet } from './timer-set.ts'
import type { CutReason, UnitCode } from './isolate-host.ts'
import type { Invocation } from './invocation.ts'
import type { UnitSlot } from './unit-slot.ts'

/** An invocation; the answer to a call; a timer, by its id; or an invocation that is forgotten, by its negative id. */
export type Entry = Invocation | AnswerEntry | number

/** Entries after each other: a text, or texts with bytes between them that are Latin-1. */
export type Batch = string | readonly (string | Buffer)[]

/** What was sent together for one unit. Answered whole, and in the order of sending. */
export interface Frame {
  readonly seq: number
  readonly slot: LaneSlot
  readonly entries: readonly Entry[]
  readonly patience: number
  readonly routes: string
  /** Texts, and pieces of bodies among them. */
  readonly batch: Batch
  /** The last of a sending: its answer makes room for another. */
  isLast: boolean
  /** Set where the frame does not step but makes the isolate. */
  readonly onPrepared?: OnPrepared | undefined
}

/** Told the problem, empty for none, and JSON of `ModuleFacts`; or undefined where the lane died before that was known. */
export type OnPrepared = (problem: string | undefined, facts: string) => void

/** How an isolate went. */
export interface Cut {
  readonly reason: CutReason
  readonly cpuUs: number
  /** The index of the entry that ran, or -1. */
  readonly progress: number
  /** The id of the invocation that ran, where the guest knew, or 0. */
  readonly runningId: number
  readonly message: string
  /** That of its frame. */
  readonly patience: number
}

/** Told by a lane, never while it is being told something itself. */
export interface LaneEvents {
  /** `isAscii`: the text has as many bytes as characters. */
  answered(slot: LaneSlot, entries: readonly Entry[], cpuUs: number, text: string, isAscii: boolean): void
  /** The isolate is gone, and `entries` went down with it. */
  cut(slot: LaneSlot, entries: readonly Entry[], cut: Cut): void
  /** Something was sent: the lane is to be watched. */
  active(): void
  /** The invocation by its id, where it still runs: for entries that a route brought. */
  byId(id: number): Invocation | undefined
}

/** One unit on one lane. */
export class LaneSlot {
  readonly lane: Lane
  readonly unit: UnitSlot
  /** Invocations that await something in there: lost with the isolate. */
  readonly pending = new Set<Invocation>()
  readonly timers: TimerSet
  /** Calls of the unit that are not answered, by their number, and the bytes that they carry. */
  readonly calls = new Map<number, OpenCall>()
  callBytes = 0
  /** Calls that nobody is behind, and that are told so. */
  readonly lateCalls = new PaceBudget(0, LATE_CALLS)
  /** Invocations in there did what cannot be taken back, so that they cannot be sent again. */
  hasEffects = false
  /** What goes on after an answer, by the invocation's id. */
  readonly background = new Map<number, Background>()
  /** Answers whose bodies are still made in there, by the invocation's id. */
  readonly streams = new Map<number, AnswerStream>()
  /** Bodies that it fetched and may read, by the number of the call that brought them; and those that it has passed on. */
  readonly bodies = new Map<number, FetchedBody>()
  readonly passed = new Map<number, FetchedBody>()
  entries: Entry[] = []
  /** Characters of what is queued. */
  queued = 0
  /** What is queued up to the last piece of a body, and the text after it. */
  parts: (string | Buffer)[] = []
  batch = ''
  routes = ''
  patience = 1
  /** Pieces of streams that `entries` ask for. */
  pieces = 0
  /** Frames under way. */
  frames = 0
  isLive = false
  /** Its unit was taken away: nothing is sent there any more. */
  isForgotten = false
  lastUsed = 0

  constructor(lane: Lane, unit: UnitSlot) {
    this.lane = lane
    this.unit = unit
    this.timers = new TimerSet((timer) => lane.enqueueTimer(this, timer))
  }

  /** Something in there goes on for a request. */
  get isAwaited(): boolean {
    return this.pending.size > 0 || this.background.size > 0 || this.streams.size > 0
  }

  get isIdle(): boolean {
    if (this.frames > 0 || this.queued > 0 || this.timers.size > 0) return false
    return !this.isAwaited && this.calls.size === 0 && this.bodies.size === 0
  }
}

/**
 * Isolates that one lane keeps: above the hundred or so units that are hot on a busy node, since those that take turns in too few
 * would be made anew for each request (2.4 ms of CPU). A small one takes over a megabyte; a process that comes near to its
 * memory drops idle ones before that (`process-lane.ts`).
 */
const ISOLATES_MAX = 192

/** Sendings under way: one that runs and one that waits, so that the sandbox does not wait for the worker. */
const SENDINGS_MAX = 2
/** A first sending that is younger than this is waited for: to be woken for few costs more than they do. */
const ALONE_MS = 1

/**
 * What cannot be sent again shall not be lost because the machine was busy for a moment: its steps have so many times the
 * usual time. Who used up his CPU is told by that, as ever.
 */
const PATIENCE_WITH_EFFECTS = 8

/** Characters in a frame above which another is begun, so that one crossing stays short. */
const FRAME_CHARACTERS = 256 * 1024
/**
 * Streams that one frame asks for their next pieces: short to ask, and up to 64 KiB each in what comes back, which the isolate holds
 * whole until it has crossed.
 */
const FRAME_PIECES = 16

export abstract class Lane {
  readonly events: LaneEvents
  readonly slots = new Map<number, LaneSlot>()
  /** Sent and not answered, oldest first. */
  readonly frames: Frame[] = []
  /**
   * Milliseconds in which this lane and its worker got on: it stands still while either is held up. Wall limits are
   * counted by it, so that a busy machine makes nobody fail.
   */
  serviceMs = 0
  isShut = false
  readonly #node: UnitCode['node']
  #dirty: LaneSlot[] = []
  #ready: Frame[] = []
  #sendings = 0
  #sentAt = 0
  #isFlushSet = false
  #liveCount = 0
  #tick = 0
  #seq = 0

  constructor(events: LaneEvents, node: UnitCode['node']) {
    this.events = events
    this.#node = node
  }

  protected abstract send(frames: readonly Frame[]): void
  protected abstract load(slot: number, unit: UnitCode): void
  protected abstract unload(slot: number): void
  protected abstract drop(slot: number): void

  get isBusy(): boolean {
    if (this.isShut) return false
    return this.frames.length > 0 || this.#dirty.length > 0 || this.#ready.length > 0
  }

  /** The unit's place here, told to the sandbox where it was not known. */
  slotOf(unit: UnitSlot): LaneSlot {
    let slot = this.slots.get(unit.index)
    if (!slot) {
      slot = new LaneSlot(this, unit)
      this.slots.set(unit.index, slot)
      this.load(unit.index, unit.codeFor(this.#node))
    }
    return slot
  }

  enqueue(slot: LaneSlot, invocation: Invocation, route: string): void {
    const isAlone = invocation.patience > 1
    if (isAlone || slot.queued > FRAME_CHARACTERS) this.#seal(slot)
    const { id, phases, step, edits, body } = invocation
    this.#queue(slot, invocation, invokeEntry(id, phases[step]!, invocation, edits))
    if (typeof body !== 'string' && body.bytes.length > 0) {
      slot.parts.push(slot.batch, body.bytes)
      slot.batch = ''
      slot.queued += body.bytes.length
    }
    slot.routes += route
    if (isAlone) {
      slot.patience = invocation.patience
      this.#seal(slot)
    }
  }

  enqueueTimer(slot: LaneSlot, timer: number): void {
    const { unit } = slot
    if (!slot.isAwaited && (unit.isOff || unit.quarantined)) {
      this.#endTimers(slot)
      return
    }
    this.#queue(slot, timer, `${TIMER_FIRED} ${timer} \n`)
  }

  /** Nothing of a unit that is off runs on by itself. Without its timers an isolate is not what its top level made: it goes too. */
  #endTimers(slot: LaneSlot): void {
    if (slot.frames === 0 && slot.queued === 0) this.discard(slot)
    else slot.timers.clear()
  }

  enqueueAnswer(slot: LaneSlot, answer: AnswerEntry): void {
    if (slot.queued > FRAME_CHARACTERS || slot.pieces >= FRAME_PIECES) this.#seal(slot)
    this.#queue(slot, answer, answer.text)
    if (answer.stream !== undefined) slot.pieces++
  }

  enqueueForget(slot: LaneSlot, id: number): void {
    this.#queue(slot, -id, `${FORGET} ${id} \n`)
    slot.routes += `${id}\n`
  }

  /** Makes the isolate now, beside what runs. */
  prepare(unit: UnitSlot, onPrepared: OnPrepared): void {
    const slot = this.slotOf(unit)
    this.#makeLive(slot)
    this.#ready.push(this.#frame(slot, [], '', '', 1, onPrepared))
    this.#setFlush()
  }

  /** Throws the isolate away. Whatever was in it is lost: the caller sees to it. */
  discard(slot: LaneSlot): void {
    this.drop(slot.unit.index)
    this.markGone(slot)
  }

  forgetUnit(unit: UnitSlot): void {
    const slot = this.slots.get(unit.index)
    if (!slot) return
    this.markGone(slot)
    slot.isForgotten = true
    this.slots.delete(unit.index)
    this.unload(unit.index)
  }

  /** The isolate is gone on the other side. */
  markGone(slot: LaneSlot): void {
    if (slot.isLive) this.#liveCount--
    slot.isLive = false
    slot.timers.clear()
    slot.pending.clear()
    slot.hasEffects = false
    abandonCalls(slot)
  }

  /** How long something has been due without any answer, in milliseconds. */
  stalledMs(_now: number): number {
    return 0
  }

  /** What the cores lost while that ran of which the lane tells now. */
  lostMs(): number {
    return 0
  }

  /** Nothing is sent any more, and no timer runs. */
  shut(): void {
    this.isShut = true
    for (const slot of this.slots.values()) {
      slot.timers.clear()
      abandonCalls(slot)
    }
  }

  /** It is dead: whoever waits for an isolate here is told. */
  abandon(): void {
    this.shut()
    const frames = [...this.frames, ...this.#ready]
    this.frames.length = 0
    this.#ready = []
    for (const { onPrepared } of frames) onPrepared?.(undefined, '')
  }

  /** Makes room: drops isolates that nothing waits in, those used longest ago first. */
  evictIdle(count: number): void {
    for (let dropped = 0; dropped < count; dropped++) this.#evict(undefined)
  }

  /** Takes the oldest frame off, because it is answered. Undefined where none has that number. */
  protected take(seq: number): Frame | undefined {
    const frame = this.frames[0]
    if (frame?.seq !== seq) return undefined
    this.frames.shift()
    frame.slot.frames--
    if (frame.isLast) {
      this.#sendings--
      if (this.#dirty.length > 0 || this.#ready.length > 0) this.#setFlush()
    }
    return frame
  }

  #queue(slot: LaneSlot, entry: Entry, text: string): void {
    if (slot.queued === 0) this.#dirty.push(slot)
    slot.entries.push(entry)
    slot.batch += text
    slot.queued += text.length
    this.#setFlush()
  }

  #setFlush(): void {
    if (this.#isFlushSet) return
    this.#isFlushSet = true
    setImmediate(this.#flush)
  }

  readonly #flush = (): void => {
    this.#isFlushSet = false
    if (this.isShut || this.#sendings >= SENDINGS_MAX) return
    const now = performance.now()
    if (this.#sendings > 0 && now - this.#sentAt < ALONE_MS) return
    for (const slot of this.#dirty) this.#seal(slot)
    this.#dirty = []
    const frames = this.#ready
    const last = frames.at(-1)
    if (!last) return
    this.#ready = []
    last.isLast = true
    this.#sendings++
    this.#sentAt = now
    for (const frame of frames) this.frames.push(frame)
    this.send(frames)
    this.events.active()
  }

  /** What is queued for a unit becomes a frame. Where it was taken away meanwhile, nobody waits for it. */
  #seal(slot: LaneSlot): void {
    if (slot.queued === 0) return
    if (!slot.isForgotten) {
      this.#makeLive(slot)
      if (slot.hasEffects && slot.pending.size === 0 && slot.streams.size === 0) slot.hasEffects = false
      const patience = slot.hasEffects ? Math.max(slot.patience, PATIENCE_WITH_EFFECTS) : slot.patience
      const batch = slot.parts.length === 0 ? slot.batch : [...slot.parts, slot.batch]
      this.#ready.push(this.#frame(slot, slot.entries, batch, slot.routes, patience))
    }
    slot.entries = []
    slot.queued = 0
    if (slot.parts.length > 0) slot.parts = []
    slot.batch = ''
    slot.routes = ''
    slot.patience = 1
    slot.pieces = 0
  }

  #frame(
    slot: LaneSlot,
    entries: readonly Entry[],
    batch: Batch,
    routes: string,
    patience: number,
    onPrepared?: OnPrepared,
  ): Frame {
    this.#seq = (this.#seq % 0xffff_fffe) + 1
    slot.frames++
    return { seq: this.#seq, slot, entries, patience, routes, batch, isLast: false, onPrepared }
  }

  #makeLive(slot: LaneSlot): void {
    slot.lastUsed = ++this.#tick
    if (slot.isLive) return
    slot.isLive = true
    this.#liveCount++
    if (this.#liveCount > ISOLATES_MAX) this.#evict(slot)
  }

  /** Drops the isolate that was used longest ago, of those that nothing waits in. */
  #evict(except: LaneSlot | undefined): void {
    let oldest: LaneSlot | undefined
    for (const slot of this.slots.values()) {
      if (slot === except || !slot.isLive || !slot.isIdle) continue
      if (!oldest || slot.lastUsed < oldest.lastUsed) oldest = slot
    }
    if (oldest) this.discard(oldest)
  }
}
