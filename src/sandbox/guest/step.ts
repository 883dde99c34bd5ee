/** `step`: reads a batch, runs its entries, hands back the records (see `protocol.ts`). */
import { ANSWER, FORGET, GO_ON, INVOKE, SAY_AGAIN, SLICE_MS, TIMER_FIRED } from '../protocol.ts'
import { Invocation } from './invocation.ts'
import { sayAgain, takeOutput, writeMore } from './output.ts'
import { charCodeAt, now, slice } from './primordials.ts'
import { awaiting } from './awaiting.ts'
import { callerOf, settleCall } from './calls.ts'
import { running } from './logging.ts'
import { forget, start } from './run.ts'
import { fireTimer, setterOf } from './timers.ts'

/** Words that the host sees too, three or fewer: see `Guest.install` in `protocol.ts`. */
let progress: Int32Array = new Int32Array(3)

export function shareProgress(words: Int32Array): void {
  progress = words
  progress[0] = -1
}

let batch = ''
let at = 0
/** Where a batch came in several parts, and which of them `batch` is. */
let parts: readonly string[] = []
let part = 0
/** Answers to calls in this step: what waits for them goes on when it has returned. */
let answers = 0

export function step(...pieces: string[] | [long: readonly string[]]): [answer: string] {
  const first = pieces[0]!
  if (typeof first === 'string') {
    batch = first
    for (let i = 1; i < pieces.length; i++) batch += pieces[i]!
  } else {
    parts = first
    part = 0
    batch = first[0]!
  }
  at = 0
  answers = 0
  // What goes on when this step has returned was caused by its entries: where those are of one invocation, it is known whose it is.
  let owner = -1
  const started = now()
  for (let index = 0; at < batch.length; index++) {
    if (index > 0 && now() - started >= SLICE_MS) {
      writeMore(index)
      break
    }
    progress[0] = index
    runEntry()
    owner = owner === -1 || owner === progress[1] ? progress[1]! : 0
  }
  progress[0] = -1
  running.id = owner > 0 ? owner : 0
  progress[1] = running.id
  progress[2] = awaiting.count + answers
  batch = ''
  parts = []
  return [takeOutput()]
}

/** The next decimal number, with the space behind it. */
function readNumber(): number {
  let value = 0
  for (;;) {
    const code = charCodeAt(batch, at++)
    if (code >= 48 && code <= 57) value = value * 10 + (code - 48)
    else if (code === 32) return value
    else throw new Error(`malformed batch at ${at}`)
  }
}

function readLineEnd(): void {
  if (charCodeAt(batch, at++) !== 10) throw new Error(`malformed batch at ${at}`)
}

function section(length: number): string {
  if (length === 0) return ''
  const from = at
  at += length
  return slice(batch, from, at)
}

function runEntry(): void {
  progress[1] = 0
  switch (readNumber()) {
    case INVOKE:
      return runInvoke()
    case TIMER_FIRED: {
      const timer = readNumber()
      readLineEnd()
      progress[1] = setterOf(timer)
      return fireTimer(timer)
    }
    case FORGET: {
      const id = readNumber()
      readLineEnd()
      return forget(id)
    }
    case SAY_AGAIN:
      readLineEnd()
      return sayAgain()
    case ANSWER:
      return runAnswer()
    case GO_ON:
      return readLineEnd()
    default:
      throw new Error(`malformed batch at ${at}`)
  }
}

function runAnswer(): void {
  const call = readNumber()
  const status = readNumber()
  const headLength = readNumber()
  const bodyLength = readNumber()
  readLineEnd()
  const head = section(headLength)
  const body = section(bodyLength)
  progress[1] = callerOf(call)
  answers++
  settleCall(call, status, head, body)
}

function runInvoke(): void {
  const id = readNumber()
  const phases = readNumber()
  const metaLength = readNumber()
  const headLength = readNumber()
  const responseLength = readNumber()
  const editsLength = readNumber()
  const bodyLength = readNumber()
  readLineEnd()
  const meta = section(metaLength)
  const head = section(headLength)
  const response = section(responseLength)
  const edits = section(editsLength)
  progress[1] = id
  if (at + bodyLength <= batch.length) {
    start(new Invocation(id, phases, meta, head, response, edits, section(bodyLength)))
    return
  }
  const mark = slice(batch, at)
  const content = parts[part + 1]!
  part += 2
  batch = parts[part]!
  at = 0
  start(new Invocation(id, phases, meta, head, response, edits, mark, content))
}
