/**
 * A journey through units, from when it came until it is answered: what the worker keeps so that it can be sent again.
 *
 * Its fields are plain: one is made a trip.
 */
import type { Sections } from './guest-text.ts'
import type { AnswerStream } from './answer-streams.ts'
import type { LaneSlot } from './lane.ts'
import type { UnitSlot } from './unit-slot.ts'
import type { CallAccount } from '../contract/host-calls.ts'
import type { FailureReason } from '../contract/unit.ts'
import type { BodyPiece, StepRun, Trip, UnitBody } from '../contract/unit-runner.ts'

export class Invocation implements Sections {
  readonly id: number
  /** Counts up with every invocation. */
  order = 0
  readonly trip: Trip
  /** By the steps of the trip. */
  readonly units: readonly UnitSlot[]
  readonly phases: readonly number[]
  /** The steps from here on may not run. */
  readonly end: number
  readonly meta: string
  readonly head: string
  readonly response: string
  readonly body: string | BodyPiece
  /** How much of `edits` came with the trip. */
  readonly editsBefore: number
  /** All changes so far: those before the trip and those of the steps that ran. */
  edits: string
  /** The step that runs or waits. */
  step = 0
  readonly runs: StepRun[] = []
  readonly onSettled: (invocation: Invocation) => void

  /** Where it is: its unit on a lane. */
  where: LaneSlot | undefined
  /** Its steps after this one are taken in the sandbox, without coming back in between. */
  isRouted = false
  /** Monotonic milliseconds when the step began. */
  startedAt: number
  /** The lane's `serviceMs` when it was sent there: its wall limit counts from here. */
  sentAtMs = 0
  /** Second tries after its own unit tripped, and after something else took the process down. */
  retries = 0
  moves = 0
  /** By how much its time-out is longer; above 1 it crosses alone. */
  patience = 1
  /** It used more CPU than it may, once: it is tried again, alone, before anybody is blamed. */
  isSuspect = false

  /** What its calls of the host have used up; undefined before the first. */
  account: CallAccount | undefined = undefined
  /** It did what cannot be taken back: it is not run a second time. */
  hasEffects = false

  outcome: 'running' | 'next' | 'response' | 'failed' = 'running'
  /** Phase bit where it ended. */
  phase = 0
  status = 0
  headers = ''
  answer: string | Uint8Array = ''
  isAscii = false
  /** What its answer's body comes from, where that is not whole. It stays in the table until that is over. */
  stream: AnswerStream | undefined = undefined
  /** The body that it fetched and passes on. Nothing in there is needed for that. */
  passed: UnitBody | undefined = undefined
  kept: { readonly prefix: number; readonly suffix: number } | undefined = undefined
  reason: FailureReason = 'throw'
  message = ''

  constructor(
    id: number,
    trip: Trip,
    units: readonly UnitSlot[],
    phases: readonly number[],
    end: number,
    now: number,
    onSettled: (invocation: Invocation) => void,
  ) {
    this.id = id
    this.units = units
    this.phases = phases
    this.trip = trip
    this.end = end
    this.meta = trip.meta
    this.head = trip.head
    this.response = trip.response
    this.body = trip.body
    this.edits = trip.edits
    this.editsBefore = trip.edits.length
    this.startedAt = now
    this.onSettled = onSettled
  }

  get unit(): UnitSlot {
    return this.units[this.step]!
  }
}
