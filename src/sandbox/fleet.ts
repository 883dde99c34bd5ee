/**
 * The sandboxes of one worker: the active one, a spare that is warm and ready to take over, and one beside them while a unit is under
 * suspicion (on probation), or runs as a shadow.
 *
 * When a sandbox dies, what was in it is on the spare before the next spare is even started. Then it is found out who is
 * to blame: a crash inside a unit is that unit's; what else kills a process may be an accident, so it takes two in a row
 * to come under suspicion, and a death alone in a process to be found guilty.
 */
import { CoreWatch } from '../base/core-time.ts'
import { launchProtections } from './launch.ts'
import { ProcessLane, type Death, type ProcessLaneOptions } from './process-lane.ts'
import type { LaneEvents, Lane } from './lane.ts'
import type { UnitSlot } from './unit-slot.ts'
import type { FailureReason } from '../contract/unit.ts'

export interface FleetEvents {
  /** A sandbox is gone. `unit` is to blame, if any: it is quarantined before what was in the lane moves. */
  died(lane: Lane, unit: UnitSlot | undefined, reason: FailureReason, message: string): void
  /** The processes changed. */
  changed(pids: readonly number[]): void
  /** Units to have ready in a spare, most used first. */
  hotUnits(): readonly UnitSlot[]
}

/** Signals by which V8 or the kernel end a process for what its code did. */
const CRASHES: readonly (NodeJS.Signals | null)[] = [
  'SIGSEGV',
  'SIGABRT',
  'SIGILL',
  'SIGTRAP',
  'SIGBUS',
  'SIGFPE',
]
/** Two deaths within this time are in a row. */
const SUSPECT_MS = 60_000
const PROBATION_MS = 60_000
/** Isolates made ahead in a spare. */
const WARM_UNITS = 8
const RESTART_MS_MAX = 2000

export class Fleet {
  readonly #options: ProcessLaneOptions
  readonly #laneEvents: LaneEvents
  readonly #events: FleetEvents
  #active: ProcessLane
  #spare: ProcessLane
  #probation: ProcessLane | undefined
  #isClosing = false
  /** Deaths of processes that never got ready, one after another. */
  #stillborn = 0
  restarts = 0

  constructor(options: Omit<ProcessLaneOptions, 'cores'>, laneEvents: LaneEvents, events: FleetEvents) {
    this.#options = { ...options, cores: new CoreWatch() }
    this.#laneEvents = laneEvents
    this.#events = events
    this.#active = this.#start()
    this.#spare = this.#start()
    // Not from within a constructor: who made it does not hold it yet.
    queueMicrotask(() => this.#changed())
  }

  get protections(): readonly string[] {
    return this.#active.isNobody ? [...launchProtections(), 'no-user'] : launchProtections()
  }

  get lanes(): readonly ProcessLane[] {
    return this.#probation ? [this.#active, this.#spare, this.#probation] : [this.#active, this.#spare]
  }

  get pids(): readonly number[] {
    return this.lanes.map((lane) => lane.pid).filter((pid) => pid !== undefined)
  }

  laneFor(unit: UnitSlot): ProcessLane {
    if (!unit.isOnProbation) return this.#active
    if (performance.now() - unit.suspectedAt > PROBATION_MS) {
      unit.isOnProbation = false
      return this.#active
    }
    return this.besideLane()
  }

  /** Where what runs harms nobody else: units on probation, and shadows. */
  besideLane(): ProcessLane {
    if (!this.#probation) {
      this.#probation = this.#start()
      this.#changed()
    }
    return this.#probation
  }

  /** Where to try things. */
  get spare(): ProcessLane {
    return this.#spare
  }

  get active(): ProcessLane {
    return this.#active
  }

  /** Where processes die before they are ready, the next one waits: a machine that cannot start them is not made worse. */
  #start(): ProcessLane {
    const delayMs = this.#stillborn < 2 ? 0 : Math.min(50 * 2 ** this.#stillborn, RESTART_MS_MAX)
    return new ProcessLane(
      this.#options,
      this.#laneEvents,
      (lane) => this.#ready(lane),
      (lane, death) => this.#died(lane, death),
      delayMs,
    )
  }

  #ready(lane: ProcessLane): void {
    this.#stillborn = 0
    if (lane !== this.#spare) return
    const units = this.#events.hotUnits()
    for (const unit of units) lane.slotOf(unit)
    for (const unit of units.slice(0, WARM_UNITS)) lane.prepare(unit, () => {})
  }

  #died(lane: ProcessLane, death: Death): void {
    if (this.#isClosing) return
    this.restarts++
    if (!lane.isReady) this.#stillborn++
    const isActive = lane === this.#active
    const isProbation = lane === this.#probation
    if (isProbation) this.#probation = undefined
    if (isActive) this.#active = this.#spare
    const { unit, reason, message } = this.#judge(death, isProbation)
    this.#events.died(lane, unit, reason, message)
    // After what was in flight has moved: to start a process takes milliseconds.
    if (isActive || lane === this.#spare) this.#spare = this.#start()
    this.#changed()
  }

  /** `isAlone`: nothing but units under suspicion ran there. */
  #judge(
    death: Death,
    isAlone: boolean,
  ): { readonly unit: UnitSlot | undefined; readonly reason: FailureReason; readonly message: string } {
    const { killed, entered, signal, errors } = death
    const how = signal ?? `exit ${death.code}`
    if (killed) {
      const reason = killed.reason === 'stalled' ? 'crash' : killed.reason
      // Memory ran out while one was in there: it may have been that one.
      const unit = killed.unit ?? (isAlone ? entered : undefined)
      if (!unit && entered && reason === 'memory') this.#suspect(entered)
      const message = killedText(killed.reason, unit)
      // A core that the machine's host took away counts as CPU time, while an isolate is made as well: who was so unlucky
      // once runs again, alone, and is blamed, or refused, if it happens there.
      if (unit && reason === 'cpu' && !isAlone) {
        this.#suspect(unit, true)
        return { unit: undefined, reason, message }
      }
      return { unit, reason, message }
    }
    // V8 ends a process with a signal; behind some launchers it shows as 128 and its number.
    const isCrash = CRASHES.includes(signal) || (death.code ?? 0) > 128
    const isMemory = /out of memory|allocation failed|invalid array length|invalid string length/i.test(
      errors,
    )
    const reason = isMemory ? 'memory' : 'crash'
    const message = `the sandbox died while it ran (${how})`
    if (!entered) return { unit: undefined, reason, message }
    if (isCrash || isAlone) return { unit: entered, reason, message }
    this.#suspect(entered)
    return { unit: undefined, reason, message }
  }

  /** On probation if it is the second time in a row, or `isClear` that it was in there. */
  #suspect(unit: UnitSlot, isClear = false): void {
    const now = performance.now()
    unit.isOnProbation = isClear || now - unit.suspectedAt < SUSPECT_MS
    unit.suspectedAt = now
  }

  #changed(): void {
    this.#events.changed(this.pids)
  }

  /** Ends the processes. */
  async close(): Promise<void> {
    this.#isClosing = true
    for (const lane of this.lanes) lane.shut()
    await Promise.all(this.lanes.map((lane) => lane.end()))
  }
}

function killedText(reason: NonNullable<Death['killed']>['reason'], unit: UnitSlot | undefined): string {
  if (reason === 'memory') return 'the sandbox outgrew its memory'
  if (reason === 'stalled' || unit === undefined) return 'the sandbox stood still, and was ended'
  return `it ran on past its ${unit.unit.manifest.limits.cpuMs} ms of CPU, and was ended`
}
