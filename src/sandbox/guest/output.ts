/**
 * The answer of a step, as it grows: records one after the other (see `protocol.ts`).
 *
 * One string that is added to: V8 keeps the pieces apart until the string crosses, so nothing is copied twice.
 * What continuations write after a step has returned waits here for the next one.
 */
import {
  LOG_LEVELS,
  RECORD_BACKGROUND,
  RECORD_CALL,
  RECORD_CALL_DROPPED,
  RECORD_INVOCATION,
  RECORD_LOG,
  RECORD_MORE,
  RECORD_TIMER,
  RECORD_TIMER_CLEAR,
} from '../protocol.ts'
import { slice } from './primordials.ts'

/** Characters of one log line, and of all log lines of one step: a unit that floods harms its own log alone. */
const LOG_LINE_MAX = 16_384
const LOG_STEP_MAX = 262_144

let out = ''
let last = ''
let logged = 0
let dropped = 0

/** The numbers of the last record but its id, and their text: answers are much alike, and to compare is cheaper than to print. */
const lastNumbers = { outcome: -1, phase: 0, edits: 0, head: 0, body: 0, bodyKind: 0, text: '' }

export type LogLevel = (typeof LOG_LEVELS)[number]

export function writeInvocation(
  id: number,
  outcome: number,
  phase: number,
  edits: string,
  head: string,
  body: string,
  bodyKind: number,
): void {
  if (
    outcome !== lastNumbers.outcome ||
    phase !== lastNumbers.phase ||
    edits.length !== lastNumbers.edits ||
    head.length !== lastNumbers.head ||
    body.length !== lastNumbers.body ||
    bodyKind !== lastNumbers.bodyKind
  ) {
    lastNumbers.outcome = outcome
    lastNumbers.phase = phase
    lastNumbers.edits = edits.length
    lastNumbers.head = head.length
    lastNumbers.body = body.length
    lastNumbers.bodyKind = bodyKind
    lastNumbers.text = ` ${outcome} ${phase} ${edits.length} ${head.length} ${body.length} ${bodyKind} \n`
  }
  out += `${RECORD_INVOCATION} ${id}${lastNumbers.text}` + edits + head + body
}

/** A line of the unit's log. `id` is 0 where no invocation is known to be behind it; `where` is from `callSite`. */
export function writeLog(id: number, level: number, text: string, where = ''): void {
  if (logged >= LOG_STEP_MAX) {
    dropped++
    return
  }
  const line = text.length > LOG_LINE_MAX ? `${slice(text, 0, LOG_LINE_MAX)}…` : text
  logged += line.length + 32
  out += `${RECORD_LOG} ${id} ${level} ${where.length} ${line.length} \n${where}${line}`
}

export function writeTimer(timer: number, ms: number): void {
  out += `${RECORD_TIMER} ${timer} ${ms} \n`
}

export function writeTimerClear(timer: number): void {
  out += `${RECORD_TIMER_CLEAR} ${timer} \n`
}

export function writeCall(
  call: number,
  id: number,
  kind: number,
  head: string,
  body: string,
  bodyKind: number,
): void {
  out += `${RECORD_CALL} ${call} ${id} ${kind} ${head.length} ${body.length} ${bodyKind} \n` + head + body
}

export function writeCallDropped(call: number): void {
  out += `${RECORD_CALL_DROPPED} ${call} \n`
}

export function writeBackground(id: number, isOn: boolean): void {
  out += `${RECORD_BACKGROUND} ${id} ${isOn ? 1 : 0} \n`
}

export function writeMore(index: number): void {
  out += `${RECORD_MORE} ${index} \n`
}

/** Puts the last answer, which did not arrive, in front again. */
export function sayAgain(): void {
  out = last + out
}

/** The answer so far. It is kept until the next one, for `sayAgain`. */
export function takeOutput(): string {
  if (dropped > 0) {
    const line = `${dropped} log lines dropped: more than ${LOG_STEP_MAX} characters in one step`
    out += `${RECORD_LOG} 0 2 0 ${line.length} \n${line}`
    dropped = 0
  }
  logged = 0
  last = out
  out = ''
  return last
}
