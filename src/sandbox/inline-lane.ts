/**
 * The lane to isolates in this very process, for units that their operator trusts (`isolation: "inline"`).
 *
 * The same executor, entries and answers as in a sandbox process, without the way there and back. What kills a sandbox
 * kills the worker here: that is what the manifest chose.
 */
import { Executor, type ExecutorSink } from './executor.ts'
import { setTimerSlack } from './kernel.ts'
import { type Batch, Lane, type Entry, type Frame, type LaneEvents } from './lane.ts'
import type { UnitCode } from './isolate-host.ts'
import type { IsolatedVm } from './isolated-vm.ts'

/** Node's own timers are exact to a millisecond, no more. */
const TIMER_SLACK_MS = 1

/** Measures each crossing by a clock of its own: for a bench. */
export interface Crossings {
  /** CPU time of this thread. */
  cpuUs(this: void): number
  took(cpuUs: number): void
}

export class InlineLane extends Lane {
  readonly #executor: Executor

  constructor(
    ivm: IsolatedVm,
    guest: string,
    events: LaneEvents,
    node: UnitCode['node'],
    crossings?: Crossings,
  ) {
    super(events, node)
    const sink: ExecutorSink = {
      entering: () => {},
      answered: (seq, slot, cpuUs, ids, text) => {
        crossings?.took(cpuUs)
        const frame = this.take(seq)
        const at = frame?.slot ?? this.slots.get(slot)!
        const entries = frame?.entries ?? this.#entries(ids)
        events.answered(at, entries, cpuUs, text, Buffer.byteLength(text) === text.length)
      },
      cut: (seq, slot, reason, cpuUs, progress, runningId, ids, message) => {
        const frame = this.take(seq)
        const at = frame?.slot ?? this.slots.get(slot)!
        const entries = frame?.entries ?? this.#entries(ids)
        const patience = frame?.patience ?? 1
        events.cut(at, entries, { reason, cpuUs, progress, runningId, message, patience })
      },
      prepared: (seq, problem, facts) => {
        const frame = this.take(seq)
        if (problem !== '' && frame) this.markGone(frame.slot)
        frame?.onPrepared?.(problem, facts)
      },
    }
    this.#executor = new Executor(ivm, guest, sink, crossings?.cpuUs)
    setTimerSlack('self', TIMER_SLACK_MS)
  }

  protected send(frames: readonly Frame[]): void {
    for (const { seq, slot, patience, routes, batch, onPrepared } of frames) {
      const { index } = slot.unit
      if (onPrepared) this.#executor.prepare(seq, index)
      else this.#executor.step({ seq, slot: index, patience, routes, batch: textsOf(batch) })
    }
    while (this.#executor.stepDerived());
  }

  protected load(slot: number, unit: UnitCode): void {
    this.#executor.load(slot, unit)
  }

  protected unload(slot: number): void {
    this.#executor.unload(slot)
  }

  protected drop(slot: number): void {
    this.#executor.drop(slot)
  }

  #entries(ids: readonly number[]): Entry[] {
    return ids.map((id) => this.events.byId(id) ?? 0)
  }
}

const textsOf = (batch: Batch): string | string[] =>
  typeof batch === 'string'
    ? batch
    : batch.map((part) => (typeof part === 'string' ? part : part.toString('latin1')))
