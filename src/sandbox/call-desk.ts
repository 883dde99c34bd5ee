/**
 * The calls of units that are under way: takes them from the records of a step, hands them to whoever does them, and sends
 * the answers back.
 *
 * Which invocation calls is said by the guest. It knows for certain where a call goes through `edge`, and nearly always for
 * `fetch`; else the call counts for the invocation under way that has called least. What no invocation is behind is
 * refused: nothing goes out once the request and its `waitUntil` are over. Numbers and bytes under way are bounded.
 */
import type { Pace } from '../base/pace-budget.ts'
import { adoptBody, bodyOf, leaveBodies } from './fetched-bodies.ts'
import { answerEntry } from './guest-text.ts'
import {
  callKindOf,
  isEffect,
  newCallAccount,
  refusal,
  type CallAccount,
  type CallKind,
  type HostAnswer,
  type HostCalls,
} from '../contract/host-calls.ts'
import { versionKey } from '../contract/unit.ts'
import { BODY_BYTES, CALL_DONE, CALL_FAILED, CALL_GOES_ON, CALL_UNHEARD } from './protocol.ts'
import type { AnswerStream } from './answer-streams.ts'
import type { RecordReader } from './guest-text.ts'
import type { Invocation } from './invocation.ts'
import type { LaneSlot } from './lane.ts'

/** Calls that nobody is behind, and that are told so. */
export const LATE_CALLS: Pace = { most: 100, everyMs: 100 }

/** Calls of one unit under way on one worker, and the bytes that they carry. */
export const CALLS_MAX = 4096
const BYTES_MAX = 32 * 1024 * 1024
/** How long work may go on after an answer, where the unit's own limit is not longer. */
const BACKGROUND_MS = 30_000
/** Calls listed for one request. */
const TRACED_MAX = 100
const GIVEN_UP = refusal('call-late', 'given up: the time of the request that it was made for was up')

/** A call that was not answered yet. */
export interface OpenCall {
  readonly bytes: number
  readonly account: CallAccount
  giveUp: (() => void) | undefined
}

/** The answer to a call, on its way. */
export interface AnswerEntry {
  readonly call: number
  readonly text: string
  /** It says that there is room for a piece: what is used until the next record is the unit's work on that. */
  readonly stream?: AnswerStream
}

/** Work that goes on after an answer. */
export interface Background {
  /** The lane's `serviceMs` when it began. */
  readonly sinceMs: number
  readonly account: CallAccount
}

export class CallDesk {
  readonly #calls: HostCalls | undefined

  constructor(calls: HostCalls | undefined) {
    this.#calls = calls
  }

  /** Takes the call that the reader stands at. */
  take(slot: LaneSlot, reader: RecordReader, caller: Invocation | undefined): void {
    const { id: number, value, head, body, bodyKind } = reader
    const kind = callKindOf(value)
    // A number is that of one call, for as long as the body lasts that came with its answer.
    if (kind === undefined || slot.calls.has(number) || bodyOf(slot, number)) return
    const startedAt = performance.now()
    const account = this.#accountOf(slot, reader.caller, caller)
    if (account === undefined && !slot.lateCalls.take(startedAt, LATE_CALLS)) {
      // Whoever tries again whatever it is told, and whose request is over, would do so for ever.
      slot.lane.enqueueAnswer(slot, { call: number, text: answerEntry(number, CALL_UNHEARD, '', '') })
      return
    }
    const bytes = head.length + body.length
    const open: OpenCall = { bytes, account: account ?? NOBODY, giveUp: undefined }
    slot.calls.set(number, open)
    slot.callBytes += bytes
    // Without one, nobody knows whose the body is that comes with the answer.
    const owner = caller !== undefined || slot.background.has(reader.caller) ? account : undefined
    const answer = (came: HostAnswer): void => {
      if (slot.calls.get(number) !== open) {
        came.rest?.cancel()
        return
      }
      slot.calls.delete(number)
      slot.callBytes -= bytes
      const given = came.rest === undefined ? came : adoptBody(slot, number, came, came.rest, owner, caller)
      this.#note(slot, kind, account, given, startedAt)
      const status = !given.ok ? CALL_FAILED : given.rest ? CALL_GOES_ON : CALL_DONE
      const text = answerEntry(number, status, given.head, given.body)
      slot.lane.enqueueAnswer(slot, { call: number, text })
    }
    const refused = this.#refusal(slot, kind, account)
    if (refused || !account || !this.#calls) {
      answer(refused ?? refusal('call-unknown', 'this edge takes no calls of units'))
      return
    }
    if (isEffect(kind)) markEffect(slot, caller)
    const isBytes = bodyKind === BODY_BYTES
    const call = { unit: slot.unit.unit, kind, head, body, isBytes, account }
    open.giveUp = this.#calls.start(call, answer)
  }

  /** The unit does not wait any more. */
  drop(slot: LaneSlot, number: number): void {
    const open = slot.calls.get(number)
    if (!open) {
      bodyOf(slot, number)?.drop()
      return
    }
    slot.calls.delete(number)
    slot.callBytes -= open.bytes
    open.giveUp?.()
  }

  /**
   * Gives up what the invocation still waits for: its time was up. The unit is told, since others may wait for the same: what a unit keeps for all
   * of its requests, such as a promise of keys that the first of them fetches, would else never settle.
   */
  dropOf(slot: LaneSlot, account: CallAccount | undefined): void {
    if (account === undefined) return
    for (const [number, open] of slot.calls) {
      if (open.account !== account) continue
      this.drop(slot, number)
      slot.lane.enqueueAnswer(slot, {
        call: number,
        text: answerEntry(number, CALL_FAILED, GIVEN_UP.head, ''),
      })
    }
  }

  /** `on`: work of the invocation goes on after its answer. */
  background(slot: LaneSlot, id: number, isOn: boolean, caller: Invocation | undefined): void {
    if (!isOn) leaveBackground(slot, id)
    else if (caller) slot.background.set(id, { sinceMs: slot.lane.serviceMs, account: accountFor(caller) })
  }

  /** Gives up what has gone on for too long after its answer; returns what the author is told. */
  endBackground(slot: LaneSlot, isRunning: (id: number) => boolean): string[] {
    const { lane, unit } = slot
    const ms = Math.max(unit.unit.manifest.limits.wallMs, BACKGROUND_MS)
    const told: string[] = []
    for (const [id, { sinceMs, account }] of slot.background) {
      if (lane.serviceMs - sinceMs <= ms || isRunning(id)) continue
      lane.enqueueForget(slot, id)
      this.dropOf(slot, account)
      leaveBackground(slot, id)
      told.push(`waitUntil: its work did not end within ${ms} ms`)
    }
    return told
  }

  #accountOf(slot: LaneSlot, id: number, caller: Invocation | undefined): CallAccount | undefined {
    if (caller) return accountFor(caller)
    const behind = slot.background.get(id)
    if (behind) return behind.account
    if (id !== 0) return undefined
    let least: CallAccount | undefined
    const consider = (account: CallAccount): void => {
      if (!least || account.fetches < least.fetches) least = account
    }
    for (const invocation of slot.pending) consider(accountFor(invocation))
    for (const { account } of slot.background.values()) consider(account)
    return least
  }

  #refusal(slot: LaneSlot, kind: CallKind, account: CallAccount | undefined): HostAnswer | undefined {
    if (!account) {
      const message = `${kind}: no request is under way; work that goes on after an answer is handed to edge.waitUntil`
      return refusal('call-late', message)
    }
    if (slot.calls.size > CALLS_MAX) {
      return refusal('call-limit', `${kind}: more than ${CALLS_MAX} calls of this unit are under way`)
    }
    if (slot.callBytes > BYTES_MAX) {
      return refusal('call-limit', `${kind}: calls of this unit carry more than ${BYTES_MAX} bytes at a time`)
    }
    return undefined
  }

  #note(
    slot: LaneSlot,
    kind: CallKind,
    account: CallAccount | undefined,
    { ok, result, target }: HostAnswer,
    startedMs: number,
  ): void {
    slot.unit.metrics.called(kind, ok)
    const trace = account?.trace
    if (trace === undefined || trace.length >= TRACED_MAX) return
    const unit = versionKey(slot.unit.unit)
    trace.push({ unit, kind, target, startedMs, ms: performance.now() - startedMs, result })
  }
}

function leaveBackground(slot: LaneSlot, id: number): void {
  const account = slot.background.get(id)?.account
  slot.background.delete(id)
  leaveBodies(slot, account)
}

/** Of calls that were refused for want of one. */
const NOBODY: CallAccount = newCallAccount()

export function accountFor(invocation: Invocation): CallAccount {
  const { head, trip } = invocation
  return (invocation.account ??= newCallAccount(head, trip.site, trip.isTraced))
}

/** Whoever may be behind it is not run a second time. */
function markEffect(slot: LaneSlot, caller: Invocation | undefined): void {
  slot.hasEffects = true
  if (caller) caller.hasEffects = true
  else for (const invocation of slot.pending) invocation.hasEffects = true
}

/** All that is under way is given up: the isolate is gone. What it has passed on does not need it. */
export function abandonCalls(slot: LaneSlot): void {
  for (const body of slot.bodies.values()) body.abandon()
  slot.bodies.clear()
  slot.passed.clear()
  const open = [...slot.calls.values()]
  slot.calls.clear()
  slot.callBytes = 0
  slot.background.clear()
  for (const { giveUp } of open) giveUp?.()
}
