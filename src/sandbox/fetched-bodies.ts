/**
 * Bodies of answers to `fetch` that were not whole when their heads came. The worker holds them for the unit, which reads one piece by piece, or passes
 * it on unread: then it goes from the one connection to the other, and nothing of it crosses.
 *
 * A body is given up when whoever fetched it is over. Who that is, is mostly a good guess (see `call-desk.ts`): so while others are under way they are left a
 * moment to begin reading it, and whoever reads it has it from then on.
 */
import { answerEntry, type RecordReader } from './guest-text.ts'
import { CALL_DONE, CALL_FAILED } from './protocol.ts'
import type { Invocation } from './invocation.ts'
import type { LaneSlot } from './lane.ts'
import {
  refusal,
  refusalOf,
  type CallAccount,
  type HostAnswer,
  type HostBody,
  type HostBodySink,
  type HostError,
} from '../contract/host-calls.ts'
import type { UnitBody, UnitBodySink } from '../contract/unit-runner.ts'

/** Bodies of one unit that may be read, on one worker. */
export const BODIES_MAX = 1024
/** How long one may lie unread of which nobody knows whose it is, where the unit's own limit is not longer. */
const UNREAD_MS = 30_000
/** How long one waits for its first reader where the one who seems to have fetched it is over. */
const LEFT_MS = 1000
/** In all. */
const OPEN_MS_MAX = 60 * 60 * 1000
/** Also of a body that the unit has read of, or that never was: none of our guests passes those on. */
export const GONE = 'this body is not to be had any more: the request that it was fetched for is over'
const TOO_LATE = refusal('call-late', GONE, 'TypeError')
const DROPPED = 'the unit gave up the fetch that this body is of'

type OnFailed = (message: string) => void

export class FetchedBody implements HostBodySink, UnitBody {
  /** Whose it is; undefined where that is not known. */
  owner: CallAccount | undefined
  /** The lane's `serviceMs` when it came, when it was read last, and when who had it was over. */
  readonly #cameAtMs: number
  #readAtMs: number
  #leftAtMs: number | undefined
  readonly #slot: LaneSlot
  readonly #number: number
  readonly #source: HostBody
  #isStarted = false
  #isOver = false
  /** The call that waits for a piece, or 0, and who made it. */
  #read = 0
  #reader = 0
  /** Of one that is passed on. */
  #onFailed: OnFailed | undefined
  #sink: UnitBodySink | undefined

  constructor(slot: LaneSlot, number: number, source: HostBody, owner: CallAccount | undefined) {
    this.#slot = slot
    this.#number = number
    this.#source = source
    this.owner = owner
    this.#cameAtMs = this.#readAtMs = slot.lane.serviceMs
  }

  // ── read by the unit ────────────────────────────────────────────────────────────────────────────────────────

  read({ id: call, caller }: RecordReader, owner: CallAccount | undefined): void {
    this.owner = owner ?? this.owner
    if (this.#read !== 0) {
      const error = refusal('body-read', 'a piece of this body is being read already', 'TypeError')
      answerRead(this.#slot, call, CALL_FAILED, error.head, '', caller)
      return
    }
    this.#read = call
    this.#reader = caller
    this.#readAtMs = this.#slot.lane.serviceMs
    if (this.#isStarted) this.#source.resume()
    else this.#begin(true)
  }

  #begin(isCounted: boolean): void {
    this.#isStarted = true
    this.#source.start(this, isCounted)
  }

  #answer(status: number, head: string, body: string): void {
    const call = this.#read
    this.#read = 0
    answerRead(this.#slot, call, status, head, body, this.#reader)
  }

  /** Gives it up where it lies about and nobody knows whose it is. */
  check(): void {
    if (this.#isOld(this.#slot.lane.serviceMs)) this.giveUp()
  }

  #isOld(now: number): boolean {
    if (now - this.#cameAtMs > OPEN_MS_MAX) return true
    if (this.owner !== undefined) return false
    const ms = Math.max(this.#slot.unit.unit.manifest.limits.wallMs, UNREAD_MS)
    if (this.#leftAtMs === undefined) return this.#read === 0 && now - this.#readAtMs > ms
    return now - Math.max(this.#leftAtMs, this.#readAtMs) > (this.#isStarted ? ms : LEFT_MS)
  }

  /** Whoever has it is over. */
  leave(): void {
    this.owner = undefined
    this.#leftAtMs = this.#slot.lane.serviceMs
  }

  /** The unit does not want it any more; or, once it is passed on, wants it cut. */
  drop(): void {
    if (this.#isOver) return
    this.abandon()
    if (this.#onFailed) this.#cut(DROPPED)
  }

  /** Nobody is to read it any more. Who does is told. */
  giveUp(): void {
    this.abandon()
    if (this.#read !== 0) this.#answer(CALL_FAILED, TOO_LATE.head, '')
  }

  /** Nobody in there will read it. */
  abandon(): void {
    this.#leave()
    this.#source.cancel()
  }

  #leave(): void {
    this.#isOver = true
    // An isolate that came after the one which passed it on may have given its number to another.
    for (const bodies of [this.#slot.bodies, this.#slot.passed])
      if (bodies.get(this.#number) === this) bodies.delete(this.#number)
  }

  // ── passed on ───────────────────────────────────────────────────────────────────────────────────────────────

  /** False where the unit has read of it. */
  pass(onFailed: OnFailed): boolean {
    if (this.#isStarted) return false
    this.#onFailed = onFailed
    this.#slot.bodies.delete(this.#number)
    this.#slot.passed.set(this.#number, this)
    return true
  }

  start(sink: UnitBodySink): void {
    this.#sink = sink
    if (this.#isOver) sink.fail('throw', DROPPED)
    else this.#begin(false)
  }

  resume(): void {
    if (!this.#isOver) this.#source.resume()
  }

  cancel(): void {
    this.#sink = undefined
    if (!this.#isOver) this.abandon()
  }

  #cut(message: string): void {
    this.#onFailed?.(message)
    this.#sink?.fail('throw', message)
  }

  // ── told by the source ──────────────────────────────────────────────────────────────────────────────────────

  take({ buffer, byteOffset, length }: Uint8Array, isLast: boolean): boolean {
    const piece = Buffer.from(buffer, byteOffset, length)
    if (isLast) this.#leave()
    const sink = this.#sink
    if (!this.#onFailed) {
      this.#answer(CALL_DONE, isLast ? 'last' : '', piece.toString('latin1'))
      return false
    }
    const hasRoom = sink !== undefined && (piece.length === 0 || sink.write(piece))
    // It may have been cancelled by that.
    if (isLast) this.#sink?.end()
    return hasRoom
  }

  fail(error: HostError): void {
    this.#leave()
    if (this.#onFailed) this.#cut(`${error.name}: ${error.message}`)
    else this.#answer(CALL_FAILED, refusalOf(error).head, '')
  }
}

/** A piece for a unit that streams an answer is as a piece that it is asked for: what it does with it counts as that. */
function answerRead(
  slot: LaneSlot,
  call: number,
  status: number,
  head: string,
  body: string,
  reader: number,
): void {
  const stream = slot.streams.get(reader)
  const text = answerEntry(call, status, head, body)
  slot.lane.enqueueAnswer(slot, stream === undefined ? { call, text } : { call, text, stream })
}

export const bodyOf = (slot: LaneSlot, number: number): FetchedBody | undefined =>
  slot.bodies.get(number) ?? slot.passed.get(number)

/** Keeps the body that comes with an answer for the unit; returns what the unit is answered. */
export function adoptBody(
  slot: LaneSlot,
  number: number,
  answer: HostAnswer,
  source: HostBody,
  owner: CallAccount | undefined,
  caller: Invocation | undefined,
): HostAnswer {
  if (slot.bodies.size >= BODIES_MAX) {
    source.cancel()
    const message = `fetch: more than ${BODIES_MAX} bodies that this unit fetched are neither read nor cancelled`
    return refusal('call-limit', message, 'TypeError', answer.target)
  }
  const body = new FetchedBody(slot, number, source, owner)
  slot.bodies.set(number, body)
  // What is answered at once is so before its caller is known to await.
  const runs = caller?.where === slot && caller.outcome === 'running'
  if (!runs && !isWanted(slot, owner)) body.abandon()
  return answer
}

/** Acts on a call for a piece. */
export function takeRead(slot: LaneSlot, reader: RecordReader, caller: Invocation | undefined): void {
  const body = slot.bodies.get(Number(reader.head))
  if (body) {
    body.read(reader, caller?.account)
    return
  }
  answerRead(slot, reader.id, CALL_FAILED, TOO_LATE.head, '', reader.caller)
}

/** The body that an invocation passes on; undefined where it may not. */
export function passBody(slot: LaneSlot, number: string, onFailed: OnFailed): UnitBody | undefined {
  const body = slot.bodies.get(Number(number))
  return body?.pass(onFailed) === true ? body : undefined
}

/** Something of the invocation is over: gives up what it fetched, where nothing else of it goes on. */
export function leaveBodies(slot: LaneSlot, owner: CallAccount | undefined): void {
  if (slot.bodies.size === 0) return
  if (!slot.isAwaited) for (const body of slot.bodies.values()) body.giveUp()
  else if (owner !== undefined && !isWanted(slot, owner))
    for (const body of slot.bodies.values()) if (body.owner === owner) body.leave()
}

/** Is whoever fetched it still at work? */
function isWanted(slot: LaneSlot, owner: CallAccount | undefined): boolean {
  if (owner === undefined) return slot.isAwaited
  const isIts = (invocation: Invocation): boolean => invocation.account === owner
  for (const invocation of slot.pending) if (isIts(invocation)) return true
  for (const { invocation } of slot.streams.values()) if (isIts(invocation)) return true
  for (const { account } of slot.background.values()) if (account === owner) return true
  return false
}
