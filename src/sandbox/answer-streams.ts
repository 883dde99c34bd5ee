/**
 * Answers that units stream: what a worker keeps of each, and how it is told apart from what an untrusted isolate makes up.
 *
 * The invocation stays in the table until its stream is over, so its id is its own, its calls count for it, and its version is not
 * released. It has answered, so it is never run again: what ends a stream early is a failure, and the body is cut.
 */
import { answerEntry, type RecordReader } from './guest-text.ts'
import { overLimit, thrownText } from './judgement.ts'
import {
  BODY_BYTES,
  CALL_DONE,
  CALL_FAILED,
  STREAM_END,
  STREAM_OPEN,
  STREAM_PIECE,
  STREAM_PIECE_MAX,
} from './protocol.ts'
import type { Invocation } from './invocation.ts'
import type { LaneSlot } from './lane.ts'
import { refusal } from '../contract/host-calls.ts'
import type { FailureReason } from '../contract/unit.ts'
import type { UnitBody, UnitBodySink } from '../contract/unit-runner.ts'

/** Streams of one unit that are open at a time on one worker. */
export const STREAMS_MAX = 1024
/** Until the next piece, by the unit's `wallMs`: 30 seconds where the unit says nothing. */
const GAP_WALLS = 30
/**
 * Pieces in a row that used more CPU than a call may. While a stream is open its unit's trip wire is longer, as for all that cannot be
 * run again, and one may be the machine's doing.
 */
const OVERRUNS_MAX = 3
/** In all. */
const STREAM_MS_MAX = 60 * 60 * 1000
const BYTES_MAX = 1024 * 1024 * 1024
/** Of memory that pieces hold which nobody took yet, for one unit. */
const HELD_MAX = 16 * 1024 * 1024

const NOBODY_WAITS = 'nobody waits for this body'

export interface StreamEvents {
  /** It broke off, and the unit is told of as failing. `isBlamed`: by what it did itself. */
  failed(invocation: Invocation, reason: FailureReason, message: string, isBlamed: boolean): void
  /** The invocation is over. */
  over(invocation: Invocation, slot: LaneSlot): void
}

export class AnswerStream implements UnitBody {
  readonly invocation: Invocation
  readonly #slot: LaneSlot
  readonly #events: StreamEvents
  readonly #startedMs: number
  /** The lane's `serviceMs` since when the unit has room and gives nothing, or is to finish. */
  #waitedSinceMs: number
  #sink: UnitBodySink | undefined
  /** Numbers of calls that wait for an answer; 0 for none. */
  #openCall = 0
  #pieceCall = 0
  #held: Buffer | undefined
  #bytes = 0
  #overruns = 0
  /** How it ended, for a sink that starts it later. */
  #ended: { readonly reason?: FailureReason; readonly message?: string } | undefined
  /** The sink is told nothing more. The unit may still be at work in its `cancel`. */
  #isOver = false
  /** Why that is, for calls that come later: nobody may want the body before the unit has opened it. */
  #why = NOBODY_WAITS

  constructor(invocation: Invocation, slot: LaneSlot, events: StreamEvents) {
    this.invocation = invocation
    this.#slot = slot
    this.#events = events
    this.#startedMs = this.#waitedSinceMs = slot.lane.serviceMs
  }

  get heldBytes(): number {
    return this.#held?.length ?? 0
  }

  start(sink: UnitBodySink): void {
    this.#sink = sink
    const ended = this.#ended
    if (ended?.reason !== undefined) sink.fail(ended.reason, ended.message ?? '')
    else if (ended) sink.end()
    else this.#handOver()
  }

  resume(): void {
    if (this.#isOver || this.#pieceCall === 0 || this.#held) return
    this.#answerPiece()
  }

  cancel(why: string): void {
    if (this.#isOver) return
    this.#stop()
    this.#tellUnwanted(why)
  }

  /** The unit has opened it, given a piece or ended it. */
  take(reader: RecordReader): void {
    const { value: kind, id: call, head } = reader
    if (kind === STREAM_END) {
      this.#takeEnd(head)
    } else if (this.#isOver) {
      this.#answer(call, unwanted(this.#why, call))
    } else if (kind === STREAM_OPEN && this.#openCall === 0) {
      this.#openCall = call
    } else if (kind === STREAM_PIECE && this.#pieceCall === 0) {
      this.#takePiece(reader)
    } else {
      this.fail('throw', 'it does not wait until a piece of its body is taken')
    }
  }

  #takePiece({ id: call, body, bodyKind }: RecordReader): void {
    this.#pieceCall = call
    this.#bytes += body.length
    if (bodyKind !== BODY_BYTES || body.length > STREAM_PIECE_MAX || body === '') {
      this.fail('throw', 'a piece of its body is not in form')
    } else if (this.#bytes > BYTES_MAX) {
      this.fail('throw', `its body has more than ${BYTES_MAX} bytes`)
    } else {
      this.#held = Buffer.from(body, 'latin1')
      this.#handOver()
    }
  }

  #takeEnd(thrown: string): void {
    this.#openCall = 0
    if (thrown !== '') {
      this.fail('throw', thrownText(thrown))
    } else if (this.#pieceCall !== 0) {
      this.fail('throw', 'it ends its body before a piece of it was taken')
    } else if (!this.#isOver) {
      this.#stop()
      this.#ended = {}
      this.#sink?.end()
    }
    this.#leave()
  }

  #handOver(): void {
    const piece = this.#held
    if (!piece || !this.#sink) return
    this.#held = undefined
    if (this.#sink.write(piece) && !this.#isOver) this.#answerPiece()
  }

  #answerPiece(): void {
    const call = this.#pieceCall
    this.#pieceCall = 0
    this.#waitedSinceMs = this.#slot.lane.serviceMs
    const text = answerEntry(call, CALL_DONE, '', '')
    this.#slot.lane.enqueueAnswer(this.#slot, { call, text, stream: this })
  }

  /** So much the unit used for one piece. */
  used(cpuUs: number): void {
    const { cpuMs } = this.invocation.unit.unit.manifest.limits
    this.#overruns = cpuUs > cpuMs * 1000 ? this.#overruns + 1 : 0
    if (this.#overruns >= OVERRUNS_MAX) this.fail('cpu', overLimit(cpuUs, cpuMs))
  }

  #answer(call: number, text: string): void {
    this.#slot.lane.enqueueAnswer(this.#slot, { call, text })
  }

  /** Ends it where its time is up. */
  check(): void {
    const { serviceMs } = this.#slot.lane
    const { wallMs } = this.invocation.unit.unit.manifest.limits
    const waitedMs = serviceMs - this.#waitedSinceMs
    if (this.#isOver) {
      if (waitedMs > wallMs) this.#leave()
    } else if (this.#pieceCall === 0 && waitedMs > wallMs * GAP_WALLS) {
      this.fail('wall', `no piece of its body came within ${wallMs * GAP_WALLS} ms`)
    } else if (serviceMs - this.#startedMs > STREAM_MS_MAX) {
      this.fail('wall', `its body did not end within ${STREAM_MS_MAX} ms`, false)
    }
  }

  /**
   * Cuts it off, and tells the unit so. What ends many streams at once by no fault of theirs does not count for the unit's breaker:
   * clients that come back would find it open.
   */
  fail(reason: FailureReason, message: string, isBlamed = reason !== 'crash'): void {
    if (this.#isOver) return
    this.#stop()
    this.#tellUnwanted(message)
    this.#ended = { reason, message }
    this.#events.failed(this.invocation, reason, message, isBlamed)
    this.#sink?.fail(reason, message)
  }

  /** The isolate is gone. */
  lost(reason: FailureReason, message: string): void {
    this.#openCall = this.#pieceCall = 0
    this.fail(reason, message)
    this.#leave()
  }

  #tellUnwanted(why: string): void {
    this.#why = why
    const calls = [this.#openCall, this.#pieceCall]
    this.#openCall = this.#pieceCall = 0
    for (const call of calls) if (call !== 0) this.#answer(call, unwanted(why, call))
  }

  #stop(): void {
    this.#isOver = true
    this.#held = undefined
    this.#waitedSinceMs = this.#slot.lane.serviceMs
  }

  /** Nothing of it goes on in there: its invocation may go. */
  #leave(): void {
    if (this.#slot.streams.delete(this.invocation.id)) this.#events.over(this.invocation, this.#slot)
  }
}

/** What the unit's `cancel` is told, as the answer to one of its calls. */
function unwanted(why: string, call: number): string {
  return answerEntry(call, CALL_FAILED, refusal('cancelled', why, 'AbortError').head, '')
}

/** Why the unit may not open one more; undefined where it may. */
export function tooManyStreams({ streams }: LaneSlot): string | undefined {
  if (streams.size >= STREAMS_MAX) return `more than ${STREAMS_MAX} answers of this unit are being streamed`
  let held = 0
  for (const stream of streams.values()) held += stream.heldBytes
  return held > HELD_MAX ? `answers that it streams hold more than ${HELD_MAX} bytes` : undefined
}

/** Acts on a call that is about a stream. Whose stream is over is told so. */
export function takeStreamCall(slot: LaneSlot, reader: RecordReader): void {
  const stream = slot.streams.get(reader.caller)
  if (stream) {
    stream.take(reader)
  } else if (reader.value === STREAM_OPEN || reader.value === STREAM_PIECE) {
    slot.lane.enqueueAnswer(slot, { call: reader.id, text: unwanted(NOBODY_WAITS, reader.id) })
  }
}
