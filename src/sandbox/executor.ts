/**
 * Runs frames of entries in isolates, one crossing at a time: the heart of a sandbox process, and of the inline runner.
 *
 * It decides nothing. What is run, retried, blamed, kept or dropped is decided by the worker; this side holds code that
 * nobody trusts, so it stays as small and as plain as can be. The one thing that it does on its own is to carry a trip on
 * to its next unit (a route), so that units that follow each other make one journey.
 */
import {
  IsolateHost,
  CutError,
  threadCpuUs,
  type CutReason,
  type UnitCode,
  type UnitIsolate,
} from './isolate-host.ts'
import { FRAME_BYTES_MAX } from './frames.ts'
import { eachInvocation, invokeEntry, RecordReader, type Sections } from './guest-text.ts'
import { GO_ON, OUTCOME_NEXT, OUTCOME_PENDING, RECORD_INVOCATION, SLICE_MS } from './protocol.ts'
import type { IsolatedVm } from './isolated-vm.ts'

/** Entries of one unit that cross together. */
export interface StepFrame {
  /** Counts up; 0 is a frame that a route made here. */
  readonly seq: number
  readonly slot: number
  /** By how much the time-out is longer than usual: for a second try of what tripped on a busy machine. */
  readonly patience: number
  /** `ID SLOT PHASES SLOT PHASES…\n` for each invocation that goes on to further units; `ID\n` says that one is forgotten. */
  readonly routes: string
  /** In several parts: see `Guest.step`. */
  readonly batch: string | readonly string[]
}

/** What has to be known before code that may kill the process is entered, and who wants to know. */
export interface ExecutorSink {
  entering(seq: number, slot: number, isInstall: boolean, cpuUs: number): void
  /** `ids` are the invocations of a frame with seq 0, in its order. */
  answered(seq: number, slot: number, cpuUs: number, ids: readonly number[], text: string): void
  /** The isolate is gone. `progress` is the index in the frame of the entry that ran, `runningId` the invocation's id or 0. */
  cut(
    seq: number,
    slot: number,
    reason: CutReason,
    cpuUs: number,
    progress: number,
    runningId: number,
    ids: readonly number[],
    message: string,
  ): void
  /** `facts` are JSON of `ModuleFacts`, where there is no problem. */
  prepared(seq: number, problem: string, facts: string): void
}

interface Route {
  readonly sections: Sections
  readonly edits: string
  /** Slots and phases in turn, still to come. */
  readonly rest: readonly number[]
}

interface Slot {
  readonly unit: UnitCode
  isolate: UnitIsolate | undefined
  /** Invocations in this unit that go on elsewhere. */
  readonly routes: Map<number, Route>
  /** What came from other units, to cross in one frame. */
  derived: { readonly ids: number[]; batch: string } | undefined
}

/** How long past CPU limit and slice the trip wire is, in milliseconds: so that time spent in crossing is not the unit's. */
const TRIP_MARGIN_MS = 1

const GO_ON_ENTRY = `${GO_ON} \n`
const NO_IDS: readonly number[] = []
/** Of what one step answers, in UTF-8; the rest of a frame are the ids of invocations. */
const ANSWER_BYTES_MAX = FRAME_BYTES_MAX - 1024 * 1024
/** A frame may have been made before its unit was taken away, and leave after. */
const TAKEN_AWAY = 'the version was taken away'

export class Executor {
  readonly #host: IsolateHost
  readonly #sink: ExecutorSink
  readonly #cpuUs: () => number
  readonly #slots = new Map<number, Slot>()
  readonly #reader = new RecordReader()
  readonly #derivedSlots: number[] = []

  constructor(ivm: IsolatedVm, guestSource: string, sink: ExecutorSink, cpuUs = threadCpuUs) {
    this.#host = new IsolateHost(ivm, guestSource)
    this.#sink = sink
    this.#cpuUs = cpuUs
  }

  load(slot: number, unit: UnitCode): void {
    this.unload(slot)
    this.#slots.set(slot, {
      unit,
      isolate: undefined,
      routes: new Map(),
      derived: undefined,
    })
  }

  unload(slot: number): void {
    this.drop(slot)
    this.#slots.delete(slot)
  }

  /** Throws the isolate away and keeps the code. */
  drop(slot: number): void {
    const known = this.#slots.get(slot)
    if (!known) return
    known.isolate?.dispose()
    known.isolate = undefined
    known.routes.clear()
  }

  /** Makes the isolate of a slot, ahead of its first use. */
  prepare(seq: number, slot: number): void {
    const known = this.#slots.get(slot)
    if (!known) {
      this.#sink.prepared(seq, TAKEN_AWAY, '')
      return
    }
    let problem = ''
    try {
      if (!known.isolate) {
        this.#sink.entering(seq, slot, true, this.#cpuUs())
        known.isolate = this.#host.make(known.unit)
      }
    } catch (error) {
      if (!(error instanceof CutError)) throw error
      problem = problemText(error)
    }
    this.#sink.prepared(seq, problem, known.isolate?.facts ?? '')
  }

  step(frame: StepFrame): void {
    const slot = this.#slots.get(frame.slot)
    if (!slot) {
      // Nobody waits for what is in it, or it would not have been taken away.
      this.#sink.answered(frame.seq, frame.slot, 0, NO_IDS, '')
      return
    }
    if (frame.routes !== '') this.#keepRoutes(slot, frame)
    this.#cross(slot, frame, NO_IDS)
  }

  /** Runs what routes brought. True while there may be more. */
  stepDerived(): boolean {
    const index = this.#derivedSlots.shift()
    if (index === undefined) return false
    const slot = this.#slots.get(index)
    const derived = slot?.derived
    if (slot && derived) {
      slot.derived = undefined
      const frame: StepFrame = { seq: 0, slot: index, patience: 1, routes: '', batch: derived.batch }
      this.#cross(slot, frame, derived.ids)
    }
    return true
  }

  #known(slot: number): Slot {
    const known = this.#slots.get(slot)
    if (!known) throw new Error(`slot ${slot} was not loaded`)
    return known
  }

  #cross(slot: Slot, frame: StepFrame, ids: readonly number[]): void {
    let cpuStart = this.#cpuUs()
    let text: string
    try {
      if (!slot.isolate) {
        this.#sink.entering(frame.seq, frame.slot, true, cpuStart)
        slot.isolate = this.#host.make(slot.unit)
        cpuStart = this.#cpuUs()
      }
      this.#sink.entering(frame.seq, frame.slot, false, cpuStart)
      const timeoutMs = (slot.unit.cpuMs + SLICE_MS) * frame.patience + TRIP_MARGIN_MS
      text = slot.isolate.step(frame.batch, timeoutMs)
      // What an await finished meanwhile is told by a second step.
      if (slot.isolate.isAwaiting) text += slot.isolate.step(GO_ON_ENTRY, timeoutMs)
      if (isTooLong(text))
        throw new CutError('broken', `it answered with more than ${ANSWER_BYTES_MAX} bytes`)
      if (slot.routes.size > 0) this.#follow(slot, text)
    } catch (error) {
      // A text that is not in form, met while following routes, is as broken as a step that threw.
      const cut = error instanceof CutError ? error : new CutError('broken', String(error))
      const progress = slot.isolate?.progress ?? -1
      const runningId = slot.isolate?.runningId ?? 0
      // Whatever ended its making, the unit did not come to be.
      const reason = slot.isolate ? cut.reason : 'install'
      const message = slot.isolate ? cut.message : problemText(cut)
      const cpuUs = this.#cpuUs() - cpuStart
      this.drop(frame.slot)
      this.#sink.cut(frame.seq, frame.slot, reason, cpuUs, progress, runningId, ids, message)
      return
    }
    this.#sink.answered(frame.seq, frame.slot, this.#cpuUs() - cpuStart, ids, text)
  }

  #keepRoutes(slot: Slot, frame: StepFrame): void {
    const routes = new Map<number, readonly number[]>()
    for (const line of frame.routes.split('\n')) {
      const [id, ...rest] = line.split(' ').map(Number)
      if (line === '' || id === undefined) continue
      if (rest.length > 0) routes.set(id, rest)
      else slot.routes.delete(id)
    }
    const batch = typeof frame.batch === 'string' ? frame.batch : frame.batch.join('')
    eachInvocation(batch, (id, sections) => {
      const rest = routes.get(id)
      if (rest) slot.routes.set(id, { sections, edits: sections.edits, rest })
    })
  }

  /** Takes the invocations that this unit let pass on to their next units. */
  #follow(slot: Slot, text: string): void {
    const reader = this.#reader
    reader.reset(text)
    while (reader.next()) {
      if (reader.kind !== RECORD_INVOCATION || reader.outcome === OUTCOME_PENDING) continue
      const route = slot.routes.get(reader.id)
      if (!route) continue
      slot.routes.delete(reader.id)
      if (reader.outcome === OUTCOME_NEXT) this.#carryOn(reader.id, route, reader.edits)
    }
  }

  #carryOn(id: number, route: Route, moreEdits: string): void {
    const [index, phases, ...rest] = route.rest
    const next = this.#known(index!)
    const edits = route.edits + moreEdits
    if (!next.derived) {
      next.derived = { ids: [], batch: '' }
      this.#derivedSlots.push(index!)
    }
    next.derived.ids.push(id)
    next.derived.batch += invokeEntry(id, phases!, route.sections, edits)
    if (rest.length > 0) next.routes.set(id, { sections: route.sections, edits, rest })
  }
}

/** The worker takes no longer frame, and would end this process for it, with all that others do here. */
const isTooLong = (text: string): boolean =>
  text.length > ANSWER_BYTES_MAX / 3 && Buffer.byteLength(text) > ANSWER_BYTES_MAX

/** For the author. An install error is JSON from the guest, or what V8 said of the syntax. */
function problemText(cut: CutError): string {
  switch (cut.reason) {
    case 'timeout':
      return 'its top level ran for too long'
    case 'memory':
      return 'its top level outgrew the memory limit'
    default:
      return cut.message
  }
}
