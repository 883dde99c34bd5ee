/**
 * Takes invocations through their units, whatever happens on the way.
 *
 * It keeps every invocation until it is settled. Answers settle it or take it on to its next unit; what is lost with an isolate
 * or a process is judged or sent again (`losses.ts`). Which lane a unit runs on is the fleet's business.
 */
import { AnswerStream, takeStreamCall, tooManyStreams, type StreamEvents } from './answer-streams.ts'
import { CallDesk } from './call-desk.ts'
import { bodyLength, RecordReader } from './guest-text.ts'
import { GONE, leaveBodies, passBody, takeRead } from './fetched-bodies.ts'
import { Invocation } from './invocation.ts'
import { answerBody } from './answer-body.ts'
import { MALFORMED, overLimit, thrownText } from './judgement.ts'
import { InvocationTable } from './invocation-table.ts'
import { Losses, unanswered } from './losses.ts'
import * as protocol from './protocol.ts'
import type { Cut, Entry, Lane, LaneEvents, LaneSlot } from './lane.ts'
import type { UnitSlot } from './unit-slot.ts'
import type { HostCalls } from '../contract/host-calls.ts'
import { ANSWERING_PHASES, PHASE_BITS, type FailureReason } from '../contract/unit.ts'

export interface EngineEvents {
  /** Where a unit runs now. */
  laneFor(unit: UnitSlot): Lane
  /** A run of one unit ended with an answer, good or bad. */
  ran(invocation: Invocation, cpuUs: number, now: number, hasThrown: boolean): void
  /** A run was cut off, and its unit is to blame. Before the invocation is settled. */
  blamed(unit: UnitSlot, reason: FailureReason): void
  logged(unit: UnitSlot, level: number, text: string, where: string): void
  /** A streamed answer broke off, after its head was told. `isBlamed`: by what it did itself. */
  streamFailed(invocation: Invocation, reason: FailureReason, message: string, isBlamed: boolean): void
  /** Nothing of it is under way any more. After it was settled. */
  left(invocation: Invocation): void
  replayed(): void
  /** Something was sent: watch. */
  active(): void
}

/** Characters of an answer's body. */
const BODY_MAX = 16 * 1024 * 1024
const MESSAGE_MAX = 8192
const WHERE_MAX = 256
/** Those in which anything may be answered: in `bodyFilter` it is the piece, in `dns` records. */
const RESPONDING = ANSWERING_PHASES | PHASE_BITS.bodyFilter | PHASE_BITS.dns
const WARN = protocol.LOG_LEVELS.indexOf('warn')

export class TripEngine implements LaneEvents {
  readonly #events: EngineEvents
  readonly #running = new InvocationTable()
  readonly #reader = new RecordReader()
  readonly #desk: CallDesk
  readonly #losses: Losses
  #lastOrder = 0
  #isMalformed = false
  /** Of the answer that is read: when it came, and whether it is all ASCII. */
  #now = 0
  #isAscii = false

  constructor(events: EngineEvents, calls?: HostCalls) {
    this.#events = events
    this.#desk = new CallDesk(calls)
    this.#losses = new Losses(this.#running, {
      blamed: (unit, reason) => events.blamed(unit, reason),
      logged: (...line) => events.logged(...line),
      replayed: () => events.replayed(),
      send: (invocation) => this.#send(invocation),
      fail: (invocation, reason, message) => this.#fail(invocation, reason, message),
    })
  }

  get size(): number {
    return this.#running.size
  }

  nextId(): number {
    return this.#running.nextId()
  }

  byId(id: number): Invocation | undefined {
    return this.#running.get(id)
  }

  active(): void {
    this.#events.active()
  }

  submit(invocation: Invocation): void {
    invocation.order = ++this.#lastOrder
    this.#running.set(invocation)
    for (const unit of invocation.units) unit.users++
    this.#send(invocation)
  }

  #send(invocation: Invocation): void {
    const { unit, step, end } = invocation
    if (unit.quarantined) {
      this.#fail(invocation, unit.quarantined, 'quarantined')
      return
    }
    const lane = this.#events.laneFor(unit)
    const slot = lane.slotOf(unit)
    invocation.where = slot
    invocation.sentAtMs = lane.serviceMs
    invocation.isRouted = step + 1 < end && invocation.patience === 1 && this.#isOneWay(invocation, lane)
    let route = ''
    if (invocation.isRouted) {
      route = String(invocation.id)
      for (let next = step + 1; next < end; next++) {
        lane.slotOf(invocation.units[next]!)
        route += ` ${invocation.units[next]!.index} ${invocation.phases[next]!}`
      }
      route += '\n'
    }
    lane.enqueue(slot, invocation, route)
  }

  #isOneWay(invocation: Invocation, lane: Lane): boolean {
    for (let next = invocation.step + 1; next < invocation.end; next++) {
      const unit = invocation.units[next]!
      if (unit.quarantined || this.#events.laneFor(unit) !== lane) return false
    }
    return true
  }

  answered(slot: LaneSlot, entries: readonly Entry[], cpuUs: number, text: string, isAscii: boolean): void {
    const reader = this.#reader
    this.#now = performance.now()
    this.#isAscii = isAscii
    const share = entries.length > 1 ? cpuUs / entries.length : cpuUs
    let expected = 0
    for (const entry of entries) if (entry instanceof Invocation) expected++
    let more = entries.length
    const [only] = entries
    if (entries.length === 1 && typeof only === 'object' && !(only instanceof Invocation)) {
      only.stream?.used(cpuUs)
    }
    reader.reset(text)
    this.#isMalformed = false
    while (this.#nextRecord()) {
      switch (reader.kind) {
        case protocol.RECORD_INVOCATION:
          if (this.#record(slot, share)) expected--
          break
        case protocol.RECORD_LOG:
          this.#logged(slot)
          break
        case protocol.RECORD_TIMER:
          slot.timers.start(reader.id, reader.value)
          break
        case protocol.RECORD_TIMER_CLEAR:
          slot.timers.stop(reader.id)
          break
        case protocol.RECORD_CALL:
          if (reader.value === protocol.BODY_READ)
            takeRead(slot, reader, this.#running.at(slot, reader.caller))
          else if (reader.value >= protocol.STREAM_OPEN) takeStreamCall(slot, reader)
          else this.#desk.take(slot, reader, this.#running.at(slot, reader.caller))
          break
        case protocol.RECORD_CALL_DROPPED:
          this.#desk.drop(slot, reader.id)
          break
        case protocol.RECORD_BACKGROUND:
          this.#desk.background(slot, reader.id, reader.value === 1, this.#running.at(slot, reader.id))
          break
        case protocol.RECORD_MORE:
          more = Math.min(more, reader.id)
          break
      }
    }
    // At least one entry a step, or it would go on for ever.
    if (this.#isMalformed || (more === 0 && entries.length > 0)) {
      this.#losses.cut(slot, entries, MALFORMED, true)
      return
    }
    if (more < entries.length) {
      for (let index = more; index < entries.length; index++) this.#again(slot, entries[index]!)
    } else if (expected > 0) {
      const message = 'it gave no answer'
      for (const entry of unanswered(slot, entries)) this.#fail(entry, 'throw', message)
    }
  }

  cut(slot: LaneSlot, entries: readonly Entry[], cut: Cut): void {
    this.#losses.cut(slot, entries, cut)
  }

  /** The lane is dead: all that was on it moves to where its unit runs now. What is in the unit to blame fails. */
  moveFrom(lane: Lane, guilty: UnitSlot | undefined, reason: FailureReason, message: string): void {
    this.#losses.moveFrom(lane, guilty, reason, message)
  }

  #logged(slot: LaneSlot): void {
    const { value: level, body: text, head: where } = this.#reader
    this.#events.logged(slot.unit, level, text.slice(0, MESSAGE_MAX), where.slice(0, WHERE_MAX))
  }

  /** A text that is not in form is the unit's doing; an error out of a callback is not: so only this is caught. */
  #nextRecord(): boolean {
    try {
      return this.#reader.next()
    } catch {
      this.#isMalformed = true
      return false
    }
  }

  /** Acts on the record of an invocation. True where it is the answer to an entry, not to what was pending before. */
  #record(slot: LaneSlot, cpuUs: number): boolean {
    const reader = this.#reader
    const invocation = this.#running.get(reader.id)
    // Forged, or forgotten meanwhile, or its body goes on.
    if (invocation?.where !== slot || invocation.outcome !== 'running') return false
    if (reader.outcome === protocol.OUTCOME_PENDING) {
      const isNew = !slot.pending.has(invocation)
      slot.pending.add(invocation)
      return isNew
    }
    const wasEntry = slot.pending.size === 0 || !slot.pending.delete(invocation)
    this.#recorded(slot, invocation, cpuUs)
    leaveBodies(slot, invocation.account)
    return wasEntry
  }

  #recorded(slot: LaneSlot, invocation: Invocation, cpuUs: number): void {
    const reader = this.#reader
    const editsEnd = invocation.edits.length + reader.edits.length - invocation.editsBefore
    invocation.runs.push({ step: invocation.step, cpuUs, editsEnd })
    this.#events.ran(invocation, cpuUs, this.#now, reader.outcome === protocol.OUTCOME_THREW)
    const { cpuMs } = slot.unit.unit.manifest.limits
    const isOver = invocation.isSuspect && cpuUs > cpuMs * 1000
    if (isOver && cpuUs / 1000 - slot.lane.lostMs() > cpuMs) {
      this.#events.blamed(slot.unit, 'cpu')
      this.#fail(invocation, 'cpu', overLimit(cpuUs, cpuMs))
      return
    }
    if (reader.outcome === protocol.OUTCOME_THREW) {
      invocation.phase = reader.phase
      this.#fail(invocation, 'throw', thrownText(reader.head))
      return
    }
    invocation.edits += reader.edits
    if (reader.outcome === protocol.OUTCOME_RESPONSE) this.#respond(invocation)
    else this.#goOn(invocation, slot.lane)
  }

  #goOn(invocation: Invocation, lane: Lane): void {
    invocation.step++
    if (invocation.step >= invocation.end) {
      invocation.outcome = 'next'
      this.#settle(invocation)
      return
    }
    invocation.retries = 0
    invocation.patience = 1
    invocation.isSuspect = false
    invocation.startedAt = this.#now
    if (!invocation.isRouted) {
      this.#send(invocation)
      return
    }
    invocation.where = lane.slotOf(invocation.unit)
    invocation.sentAtMs = lane.serviceMs
  }

  #respond(invocation: Invocation): void {
    const { head, body, bodyKind, phase } = this.#reader
    const status = Number(head.slice(0, 3))
    if (head.charCodeAt(3) !== 10 || !(status >= 100 && status <= 999)) {
      this.#fail(invocation, 'throw', 'its response has no status')
      return
    }
    // In the others nobody expects one, and no guest of ours sends one.
    if ((invocation.phases[invocation.step]! & RESPONDING) === 0) {
      this.#fail(invocation, 'throw', 'its answer is not in form')
      return
    }
    if (body.length > BODY_MAX) {
      this.#fail(invocation, 'throw', 'its response is too large')
      return
    }
    invocation.outcome = 'response'
    invocation.phase = phase
    invocation.status = status
    invocation.headers = head.slice(4)
    invocation.isAscii = this.#isAscii
    const goesOn = bodyKind === protocol.BODY_STREAM || bodyKind === protocol.BODY_PASSED
    if (goesOn && (invocation.phases[invocation.step]! & ANSWERING_PHASES) === 0) {
      this.#fail(invocation, 'throw', 'its answer is not in form')
      return
    }
    if (bodyKind === protocol.BODY_STREAM) {
      this.#openStream(invocation)
      return
    }
    if (bodyKind === protocol.BODY_PASSED) {
      this.#pass(invocation, body)
      return
    }
    const answer = answerBody(bodyKind, body, bodyLength(invocation.body))
    if (answer === undefined) {
      this.#fail(invocation, 'throw', 'its answer is not in form')
      return
    }
    invocation.answer = answer.body
    invocation.kept = answer.kept
    this.#settle(invocation)
  }

  /** Its answer begins now, and it is never run again. */
  #openStream(invocation: Invocation): void {
    const slot = invocation.where!
    const problem = tooManyStreams(slot)
    if (problem !== undefined) {
      this.#fail(invocation, 'throw', problem)
      return
    }
    invocation.hasEffects = slot.hasEffects = true
    invocation.stream = new AnswerStream(invocation, slot, this.#streamEvents)
    slot.streams.set(invocation.id, invocation.stream)
    this.#settle(invocation)
  }

  /** What it fetched goes to whoever asked. Where that breaks off, it is not by what the unit did. */
  #pass(invocation: Invocation, number: string): void {
    const failed = (message: string): void => this.#events.streamFailed(invocation, 'throw', message, false)
    invocation.passed = passBody(invocation.where!, number, failed)
    if (invocation.passed) this.#settle(invocation)
    else this.#fail(invocation, 'throw', GONE)
  }

  readonly #streamEvents: StreamEvents = {
    failed: (...how) => this.#events.streamFailed(...how),
    over: (invocation, slot) => {
      this.#release(invocation)
      leaveBodies(slot, invocation.account)
      this.#events.left(invocation)
    },
  }

  #again(slot: LaneSlot, entry: Entry): void {
    if (entry instanceof Invocation) {
      if (entry.outcome === 'running' && entry.where === slot) this.#send(entry)
    } else if (typeof entry !== 'number') slot.lane.enqueueAnswer(slot, entry)
    else if (entry >= 0) slot.lane.enqueueTimer(slot, entry)
    else slot.lane.enqueueForget(slot, -entry)
  }

  /** Ends what did not settle in time. True while something awaits. */
  checkWall(lane: Lane): boolean {
    let isWaiting = false
    for (const slot of lane.slots.values()) {
      const { wallMs } = slot.unit.unit.manifest.limits
      for (const invocation of slot.pending) {
        isWaiting = true
        if (lane.serviceMs - invocation.sentAtMs <= wallMs) continue
        slot.pending.delete(invocation)
        lane.enqueueForget(slot, invocation.id)
        this.#desk.dropOf(slot, invocation.account)
        slot.background.delete(invocation.id)
        leaveBodies(slot, invocation.account)
        this.#fail(invocation, 'wall', `it did not settle within ${wallMs} ms`)
      }
      if (slot.streams.size > 0) {
        isWaiting = true
        for (const stream of slot.streams.values()) stream.check()
      }
      if (slot.bodies.size > 0) {
        isWaiting = true
        for (const body of slot.bodies.values()) body.check()
      }
      if (slot.background.size === 0) continue
      isWaiting = true
      for (const text of this.#desk.endBackground(slot, (id) => this.#running.at(slot, id) !== undefined)) {
        this.#events.logged(slot.unit, WARN, text, '')
      }
    }
    return isWaiting
  }

  #fail(invocation: Invocation, reason: FailureReason, message: string): void {
    invocation.outcome = 'failed'
    invocation.reason = reason
    invocation.message = message.slice(0, MESSAGE_MAX)
    this.#settle(invocation)
  }

  #settle(invocation: Invocation): void {
    const goesOn = invocation.stream !== undefined
    if (!goesOn) this.#release(invocation)
    invocation.onSettled(invocation)
    if (!goesOn) this.#events.left(invocation)
  }

  #release(invocation: Invocation): void {
    this.#running.delete(invocation)
    invocation.where = undefined
    for (const unit of invocation.units) unit.users--
  }
}
