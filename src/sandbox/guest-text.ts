/**
 * The text that a batch and its answer are made of (see `protocol.ts`), for the trusted side: writes entries, reads
 * records.
 *
 * What is read was written inside a unit's isolate, so every number is checked and every length is held against what is
 * there. A text that is not in form throws; whose fault that is, the caller knows.
 */
import type { BodyPiece } from '../contract/unit-runner.ts'
import {
  ANSWER,
  INVOKE,
  OUTCOME_PENDING,
  RECORD_BACKGROUND,
  RECORD_CALL,
  RECORD_CALL_DROPPED,
  RECORD_INVOCATION,
  RECORD_LOG,
  RECORD_MORE,
  RECORD_TIMER,
  RECORD_TIMER_CLEAR,
} from './protocol.ts'

/** The sections of an invocation, in the order in which they travel. */
export interface Sections {
  readonly meta: string
  readonly head: string
  readonly response: string
  readonly edits: string
  readonly body: string | BodyPiece
}

export const bodyLength = (body: string | BodyPiece): number =>
  typeof body === 'string' ? body.length : body.mark.length + body.bytes.length

/** The answer to a call, by its `CALL_DONE`…; both texts are Latin-1. */
export const answerEntry = (call: number, status: number, head: string, body: string): string =>
  `${ANSWER} ${call} ${status} ${head.length} ${body.length} \n${head}${body}`

/** The numbers of the last entry but its id, and their text: requests are much alike, and to compare is cheaper than to print. */
const last = { phases: 0, meta: 0, head: 0, response: 0, edits: 0, body: 0, text: '' }

/** The bytes of a piece are left out: they follow. */
export function invokeEntry(id: number, phases: number, of: Sections, edits: string): string {
  const { meta, head, response, body } = of
  const bodyCharacters = bodyLength(body)
  if (
    head.length !== last.head ||
    meta.length !== last.meta ||
    phases !== last.phases ||
    response.length !== last.response ||
    edits.length !== last.edits ||
    bodyCharacters !== last.body
  ) {
    last.phases = phases
    last.meta = meta.length
    last.head = head.length
    last.response = response.length
    last.edits = edits.length
    last.body = bodyCharacters
    last.text = ` ${phases} ${meta.length} ${head.length} ${response.length} ${edits.length} ${bodyCharacters} \n`
  }
  return (
    `${INVOKE} ${id}${last.text}` +
    meta +
    head +
    response +
    edits +
    (typeof body === 'string' ? body : body.mark)
  )
}

const SPACE = 32
const NEWLINE = 10
const ZERO = 48

/** A cursor over numbers and sections. Numbers are decimal, each followed by a space; a line ends with `\n`. */
class TextCursor {
  text = ''
  at = 0

  number(): number {
    const { text } = this
    let { at } = this
    let value = 0
    let code = text.charCodeAt(at)
    const start = at
    while (code !== SPACE) {
      const digit = code - ZERO
      // NaN, past the end, fails the first comparison.
      if (!(digit >= 0 && digit <= 9) || at - start > 14) throw new Error('a number was expected')
      value = value * 10 + digit
      code = text.charCodeAt(++at)
    }
    if (at === start) throw new Error('a number was expected')
    this.at = at + 1
    return value
  }

  lineEnd(): void {
    if (this.text.charCodeAt(this.at++) !== NEWLINE) throw new Error('a line end was expected')
  }

  section(length: number): string {
    if (length === 0) return ''
    const end = this.at + length
    if (end > this.text.length) throw new Error('a section is cut short')
    const part = this.text.slice(this.at, end)
    this.at = end
    return part
  }
}

/** Reads the answer of a step, record by record, into its own fields: no object is made for a record. */
export class RecordReader {
  kind = 0
  /** Of the invocation; of the timer; of the call; the index for RECORD_MORE. */
  id = 0
  outcome = 0
  phase = 0
  edits = ''
  /** Of an answer; of a log line: where it was logged. */
  head = ''
  body = ''
  bodyKind = 0
  /** Of a log line: its level. Of a timer: its milliseconds. Of work in the background: 1 where it begins. Of a call: its kind. */
  value = 0
  /** Of a call: the invocation, or 0. */
  caller = 0
  readonly #cursor = new TextCursor()

  reset(text: string): void {
    this.#cursor.text = text
    this.#cursor.at = 0
  }

  /** Steps to the next record; false at the end. Throws where the text is not in form. */
  next(): boolean {
    const cursor = this.#cursor
    if (cursor.at >= cursor.text.length) return false
    this.kind = cursor.number()
    this.id = cursor.number()
    switch (this.kind) {
      case RECORD_INVOCATION: {
        this.outcome = cursor.number()
        this.phase = cursor.number()
        const editsLength = cursor.number()
        const headLength = cursor.number()
        const bodyLength = cursor.number()
        this.bodyKind = cursor.number()
        cursor.lineEnd()
        if (this.outcome > OUTCOME_PENDING) throw new Error('an unknown outcome')
        this.edits = cursor.section(editsLength)
        this.head = cursor.section(headLength)
        this.body = cursor.section(bodyLength)
        return true
      }
      case RECORD_LOG: {
        this.value = cursor.number()
        const whereLength = cursor.number()
        const length = cursor.number()
        cursor.lineEnd()
        this.head = cursor.section(whereLength)
        this.body = cursor.section(length)
        return true
      }
      case RECORD_CALL: {
        this.caller = cursor.number()
        this.value = cursor.number()
        const headLength = cursor.number()
        const bodyLength = cursor.number()
        this.bodyKind = cursor.number()
        cursor.lineEnd()
        this.head = cursor.section(headLength)
        this.body = cursor.section(bodyLength)
        return true
      }
      case RECORD_TIMER:
      case RECORD_BACKGROUND:
        this.value = cursor.number()
        cursor.lineEnd()
        return true
      case RECORD_TIMER_CLEAR:
      case RECORD_CALL_DROPPED:
      case RECORD_MORE:
        cursor.lineEnd()
        return true
      default:
        throw new Error('an unknown record')
    }
  }
}

/** Calls back for each invocation in a batch that we wrote ourselves. */
export function eachInvocation(batch: string, visit: (id: number, sections: Sections) => void): void {
  const cursor = new TextCursor()
  cursor.text = batch
  while (cursor.at < batch.length) {
    const kind = cursor.number()
    if (kind === ANSWER) {
      cursor.number()
      cursor.number()
      const length = cursor.number() + cursor.number()
      cursor.lineEnd()
      cursor.section(length)
      continue
    }
    if (kind !== INVOKE) {
      // Timers, forgets and go-ons are a line each.
      cursor.at = batch.indexOf('\n', cursor.at) + 1
      if (cursor.at === 0) throw new Error('a line end was expected')
      continue
    }
    const id = cursor.number()
    cursor.number()
    const lengths = [0, 0, 0, 0, 0].map(() => cursor.number())
    cursor.lineEnd()
    const [meta, head, response, edits, body] = lengths.map((length) => cursor.section(length))
    visit(id, { meta: meta!, head: head!, response: response!, edits: edits!, body: body! })
  }
}

/** A line of a unit's log that the unit did not write itself. */
export const logRecord = (level: number, text: string): string =>
  `${RECORD_LOG} 0 ${level} 0 ${text.length} \n${text}`
