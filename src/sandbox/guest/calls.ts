/**
 * Calls of the host: what leaves the isolate as a record, and is awaited here until its answer comes as an entry.
 *
 * No reference and no promise crosses. A call is known by a number, which starts anywhere: the answer to a call of an isolate
 * that is gone shall not meet a call of this one. The promise is settled inside a step, so what waits for it goes on
 * under that step's limits.
 */
import { type CallKind, CALL_KINDS } from '../../contract/host-calls.ts'
import type { HostError } from '../../contract/host-calls.ts'
import { BODY_BYTES, BODY_TEXT, CALL_FAILED, CALL_GOES_ON, CALL_UNHEARD } from '../protocol.ts'
import { DOMException } from './dom-exception.ts'
import { writeCall, writeCallDropped } from './output.ts'
import {
  defineProperty,
  mapDelete,
  mapGet,
  MapIntrinsic,
  mapSet,
  mapSize,
  parseJson,
  PromiseIntrinsic,
  trunc,
} from './primordials.ts'

/** Calls of one isolate under way. The host refuses earlier; this keeps what waits here small. */
const CALLS_MAX = 10_000

/** What the host answered: both texts with a character a byte. */
export class CallAnswer {
  readonly isOk: boolean
  /** The body is to be read from now on. */
  readonly goesOn: boolean
  readonly head: string
  readonly body: string

  constructor(status: number, head: string, body: string) {
    this.isOk = status !== CALL_FAILED
    this.goesOn = status === CALL_GOES_ON
    this.head = head
    this.body = body
  }
}

class Waiting {
  readonly id: number
  readonly resolve: (answer: CallAnswer) => void
  readonly reject: (reason: unknown) => void

  constructor(id: number, resolve: (answer: CallAnswer) => void, reject: (reason: unknown) => void) {
    this.id = id
    this.resolve = resolve
    this.reject = reject
  }
}

const waiting = new MapIntrinsic<number, Waiting>()
let lastCall = trunc(Math.random() * 2 ** 40)

/** A call that was sent: its number, to give it up by, and its answer. */
export interface SentCall {
  readonly number: number
  readonly answer: Promise<CallAnswer>
}

/** `id` is the invocation that calls, or 0 where that is not known. */
export function sendCall(
  id: number,
  kind: CallKind | number,
  head: string,
  body = '',
  bodyKind: number = BODY_TEXT,
): SentCall {
  if (mapSize(waiting) >= CALLS_MAX)
    throw new RangeError(`more than ${CALLS_MAX} calls of this unit wait for an answer`)
  const number = ++lastCall
  const answer = new PromiseIntrinsic<CallAnswer>((resolve, reject) => {
    mapSet(waiting, number, new Waiting(id, resolve, reject))
  })
  const kindNumber = typeof kind === 'number' ? kind : CALL_KINDS[kind]
  writeCall(number, id, kindNumber, head, body, bodyKind === BODY_BYTES ? BODY_BYTES : BODY_TEXT)
  return { number, answer }
}

/** A call that is not answered. */
export function sendNotice(id: number, kind: number, head: string): void {
  writeCall(++lastCall, id, kind, head, '', BODY_TEXT)
}

/** Gives a call up: what waits for it is told why, and its answer is dropped. */
export function dropCall(number: number, reason: unknown): void {
  const call = mapGet(waiting, number)
  if (call === undefined) return
  mapDelete(waiting, number)
  writeCallDropped(number)
  call.reject(reason)
}

/** The invocation behind a call, or 0. */
export const callerOf = (number: number): number => mapGet(waiting, number)?.id ?? 0

export function settleCall(number: number, status: number, head: string, body: string): void {
  const call = mapGet(waiting, number)
  // It was given up meanwhile.
  if (call === undefined) return
  mapDelete(waiting, number)
  if (status === CALL_UNHEARD) return
  call.resolve(new CallAnswer(status, head, body))
}

/**
 * What the host refused, as an error. Made where the call is awaited, not when its answer comes: so its stack names the
 * functions of the unit that wait.
 */
export function callError(head: string): unknown {
  const { name, message, code } = parseJson(head) as HostError
  if (name === 'AbortError' || name === 'TimeoutError') return new DOMException(message, name)
  const error =
    name === 'TypeError'
      ? new TypeError(message)
      : name === 'RangeError'
        ? new RangeError(message)
        : new Error(message)
  defineProperty(error, 'code', {
    __proto__: null,
    value: code,
    writable: true,
    configurable: true,
    enumerable: true,
  } as PropertyDescriptor)
  return error
}
