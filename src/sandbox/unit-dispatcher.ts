/**
 * The unit runner of a worker: checks whether a unit may run, sends it on its way, and makes the outcome.
 *
 * What is behind: the engine keeps and judges invocations, lanes lead to isolates, the fleet keeps sandboxes alive. Here
 * is what lasts longer than a process: breakers, quarantine, metrics, log lines.
 */
import { readFileSync } from 'node:fs'
import { Fleet } from './fleet.ts'
import { InlineLane, type Crossings } from './inline-lane.ts'
import { Invocation } from './invocation.ts'
import { isolatedVmPath, loadIsolatedVm } from './isolated-vm.ts'
import { phaseName } from './phase-name.ts'
import { ProcessLane } from './process-lane.ts'
import { TripEngine } from './trip-engine.ts'
import { UnitLog, type UnitLogOptions } from './unit-log.ts'
import { mayRun, UnitSlot, type Way } from './unit-slot.ts'
import { prepareOn, tryOutcome } from './unit-trial.ts'
import { TurnClock } from '../base/turn-clock.ts'
import { versionKey, type FailureReason, type Phase, type UnitVersion } from '../contract/unit.ts'
import type { BreakerState } from './breaker.ts'
import type { Lane } from './lane.ts'
import type { HostCalls } from '../contract/host-calls.ts'
import type { MetricSample, Quarantine } from '../contract/messages.ts'
import type { StepRun, Trip, TripStep, TryOutcome, UnitRunner } from '../contract/unit-runner.ts'

export interface UnitRunnerOptions extends UnitLogOptions {
  /** Paths of the bundles: `bundleSandbox()` and `bundleGuest()` made their texts. */
  readonly bundles: { readonly sandbox: string; readonly guest: string }
  /** `config.edge.sandboxMemory`: resident memory of one sandbox, in bytes. */
  readonly sandboxMemory: number
  readonly isExact?: boolean
  readonly node?: { readonly name: string; readonly groups: readonly string[] }
  /** Does what units ask of the node. Without it, every call is refused. */
  readonly calls?: HostCalls
  readonly crossings?: Crossings
  /** 0 to 1: spreads the probes of workers in time. */
  readonly random?: () => number
  /** A version is quarantined by what happened here. */
  onQuarantine(quarantine: Quarantine): void
  /** The sandbox processes changed. */
  onSandboxes?(pids: readonly number[]): void
}

export interface UnitDispatcher extends UnitRunner {
  /** Quarantines what others found out. */
  quarantine(list: readonly Quarantine[]): void
  /** Compiles a version and runs its top level, aside: tells what is wrong with it, or what its module says of itself. */
  try(unit: UnitVersion): Promise<TryOutcome>
  /** Log lines of units are passed on, or dropped. Failures are always passed on. */
  setTail(on: boolean): void
  /** Lines that were dropped for being too many, since this was last asked. */
  takeDropped(): number
  /** The pipeline left a unit out of a request because of its `sample`. */
  sampledOut(unit: UnitVersion, phases: number): void
  breakerState(unit: UnitVersion): BreakerState | 'quarantined'
  metrics(): MetricSample[]
  /** What is taken from the sandboxes, in words. */
  readonly protections: readonly string[]
  readonly sandboxPids: readonly number[]
}

const WATCH_MS = 10
/** More than that between two looks is time in which this worker was held up. */
const LOOK_MS_MAX = 40
/** How long the end of this worker waits for work that goes on after answers. */
const BACKGROUND_GRACE_MS = 3000
const STALLED_MS = 30 // A lane that has not answered for so long is held up.

export const createUnitRunner = (options: UnitRunnerOptions): UnitDispatcher => new Dispatcher(options)

class Dispatcher implements UnitDispatcher {
  readonly #options: UnitRunnerOptions
  readonly #log: UnitLog
  readonly #guest: string
  readonly #node: { readonly name: string; readonly groups: readonly string[] }
  readonly #random: () => number
  readonly #isolatedVm = isolatedVmPath()
  readonly #engine: TripEngine
  readonly #fleet: Fleet
  readonly #slots = new Map<UnitVersion, UnitSlot>()
  /** Plans of the pipeline use the same steps again and again. */
  #ways = new WeakMap<readonly TripStep[], Way>()
  readonly #clock = new TurnClock()
  readonly #quarantined = new Map<string, FailureReason>()
  #inline: InlineLane | undefined
  #lastIndex = 0
  #replays = 0
  #isWatching = false
  #lookedAt = 0
  #onIdle: (() => void) | undefined

  constructor(options: UnitRunnerOptions) {
    this.#options = options
    this.#log = new UnitLog(options)
    this.#node = options.node ?? { name: '', groups: [] }
    this.#random = options.random ?? Math.random
    this.#guest = readFileSync(options.bundles.guest, 'utf8')
    this.#engine = new TripEngine(
      {
        laneFor: (unit) => this.#laneFor(unit),
        ran: (invocation, cpuUs, now, hasThrown) => this.#ran(invocation, cpuUs, now, hasThrown),
        blamed: (unit, reason) => this.#blamed(unit, reason),
        logged: (unit, level, text, where) => this.#log.logged(unit, level, text, where),
        streamFailed: (of, ...how) => this.#failed(of.unit, phaseName(of.phase, 0), ...how),
        left: this.#left,
        replayed: () => this.#replays++,
        active: () => this.#watch(),
      },
      options.calls,
    )
    this.#fleet = new Fleet(
      {
        bundle: options.bundles.sandbox,
        isolatedVm: this.#isolatedVm,
        guest: this.#guest,
        node: this.#node,
        memoryMax: options.sandboxMemory,
        isExact: options.isExact ?? false,
      },
      this.#engine,
      {
        died: (lane, unit, reason, message) => this.#died(lane, unit, reason, message),
        changed: (pids) => options.onSandboxes?.(pids),
        hotUnits: () => this.#hotUnits(),
      },
    )
  }

  run(trip: Trip): void {
    const now = this.#clock.now()
    const { units, phases } = this.#wayOf(trip.steps)
    let end = 0
    while (end < units.length && mayRun(units[end]!, now)) end++
    if (end === 0) {
      setImmediate(() => this.#refuse(trip, 0, '', []))
      return
    }
    const id = this.#engine.nextId()
    this.#engine.submit(new Invocation(id, trip, units, phases, end, now, this.#onSettled))
  }

  #wayOf(steps: readonly TripStep[]): Way {
    let way = this.#ways.get(steps)
    if (!way) {
      way = {
        units: steps.map(({ unit }) => this.#slotOf(unit)),
        phases: steps.map(({ phases }) => phases),
      }
      this.#ways.set(steps, way)
    }
    return way
  }

  readonly #onSettled = (invocation: Invocation): void => {
    const { trip, step, runs, phase, end, account } = invocation
    if (account?.trace) trip.traced?.(account.trace)
    const edits = invocation.edits.slice(invocation.editsBefore)
    switch (invocation.outcome) {
      case 'response': {
        const { status, headers, answer: body, isAscii, kept, stream, passed } = invocation
        const at = phaseName(phase, invocation.phases[step]!)
        const answer = { status, headers, body, isAscii, kept, stream: stream ?? passed }
        trip.done({ kind: 'response', step, phase: at, edits, ...answer, runs })
        break
      }
      case 'failed': {
        const { reason, message } = invocation
        const at = phaseName(phase, invocation.phases[step]!)
        this.#failed(invocation.units[step]!, at, reason, message)
        trip.done({ kind: 'failed', step, phase: at, edits, reason, message, runs })
        break
      }
      default:
        // A unit that may not run now stood in its way.
        if (end < trip.steps.length) this.#refuse(trip, end, edits, runs)
        else trip.done({ kind: 'next', edits, runs })
    }
  }

  readonly #left = ({ units }: Invocation): void => {
    for (const unit of units) if (unit.isReleased) this.#forget(unit)
    if (this.#onIdle && this.#engine.size === 0) this.#onIdle()
  }

  /** The unit of `step` may not run now. */
  #refuse(trip: Trip, step: number, edits: string, runs: readonly StepRun[]): void {
    const { unit, phases } = trip.steps[step]!
    const slot = this.#slotOf(unit)
    const reason = slot.quarantined ?? slot.health.breaker.reason
    const message =
      unit.barred ?? (slot.quarantined ? 'quarantined until a new version comes' : 'its breaker is open')
    const phase = phaseName(0, phases)
    slot.metrics.failed(phase, reason)
    trip.done({ kind: 'failed', step, phase, edits, reason, message, runs })
  }

  #slotOf(unit: UnitVersion): UnitSlot {
    let slot = this.#slots.get(unit)
    if (!slot) {
      slot = new UnitSlot(++this.#lastIndex, unit, this.#random)
      slot.quarantined = unit.barred === undefined ? this.#quarantined.get(slot.key) : 'unsigned'
      this.#slots.set(unit, slot)
    }
    return slot
  }

  #laneFor(unit: UnitSlot): Lane {
    const { manifest, shadow } = unit.unit
    if (shadow !== undefined) return this.#fleet.besideLane()
    return manifest.isolation === 'inline' ? this.#inlineLane() : this.#fleet.laneFor(unit)
  }

  #inlineLane(): InlineLane {
    if (!this.#inline) {
      const ivm = loadIsolatedVm(this.#isolatedVm)
      this.#inline = new InlineLane(ivm, this.#guest, this.#engine, this.#node, this.#options.crossings)
    }
    return this.#inline
  }

  #ran(invocation: Invocation, cpuUs: number, now: number, hasThrown: boolean): void {
    const { unit, step, phases, startedAt } = invocation
    unit.metrics.ran(phases[step]!, cpuUs, now - startedAt)
    if (!hasThrown) unit.health.breaker.succeeded()
  }

  #failed(unit: UnitSlot, phase: Phase, reason: FailureReason, message: string, isBlamed = true): void {
    unit.metrics.failed(phase, reason)
    if (isBlamed) unit.health.breaker.failed(reason, performance.now())
    this.#log.failed(unit, reason, message)
  }

  #blamed(unit: UnitSlot, reason: FailureReason): void {
    if (unit.health.cutOff(reason, performance.now())) this.#quarantineUnit(unit, reason)
  }

  #quarantineUnit(unit: UnitSlot, reason: FailureReason): void {
    if (unit.quarantined) return
    unit.quarantined = reason
    if (unit.isTrial) return
    const { name, version } = unit.unit
    this.#quarantined.set(unit.key, reason)
    this.#log.quarantined(unit, reason)
    this.#options.onQuarantine({ name, version, reason, at: this.#options.clock.now() })
  }

  quarantine(list: readonly Quarantine[]): void {
    for (const { name, version, reason } of list) {
      this.#quarantined.set(versionKey({ name, version }), reason)
      for (const slot of this.#slots.values()) {
        if (slot.unit.name === name && slot.unit.version === version) slot.quarantined = reason
      }
    }
  }

  #died(lane: Lane, unit: UnitSlot | undefined, reason: FailureReason, message: string): void {
    if (unit) this.#quarantineUnit(unit, reason)
    this.#engine.moveFrom(lane, unit, reason, message)
    lane.abandon()
  }

  /** Looks after the sandboxes while they have something to do, and only then. */
  #watch(): void {
    if (this.#isWatching) return
    this.#isWatching = true
    this.#lookedAt = performance.now()
    setTimeout(this.#afterPoll, WATCH_MS)
  }

  /** After the poll for what came in meanwhile: if this worker itself was held up, its sandboxes are not to blame. */
  readonly #afterPoll = (): void => {
    setImmediate(this.#look)
  }

  readonly #look = (): void => {
    const now = performance.now()
    const heldUpMs = Math.max(0, now - this.#lookedAt - LOOK_MS_MAX)
    this.#isWatching = false
    let isBusy = false
    for (const lane of this.#inline ? [this.#inline, ...this.#fleet.lanes] : this.#fleet.lanes) {
      if (lane.stalledMs(now) <= STALLED_MS) lane.serviceMs += now - this.#lookedAt - heldUpMs
      if (lane instanceof ProcessLane) lane.check(now, heldUpMs)
      const isWaiting = this.#engine.checkWall(lane)
      if (isWaiting || lane.isBusy) isBusy = true
    }
    if (isBusy) this.#watch()
  }

  async prepare(units: readonly UnitVersion[]): Promise<readonly string[]> {
    const problems: string[] = []
    for (const unit of units) {
      const slot = this.#slotOf(unit)
      if (slot.quarantined) continue
      // In the spare first: what is wrong with it shows there, where it harms nobody.
      let { problem } = await prepareOn(slot, () => this.#fleet.spare)
      if (problem === '') problem = (await prepareOn(slot, () => this.#laneFor(slot))).problem
      if (problem !== '') problems.push(`${slot.key}: ${problem}`)
    }
    return problems
  }

  async try(unit: UnitVersion): Promise<TryOutcome> {
    const slot = new UnitSlot(++this.#lastIndex, unit, this.#random, true)
    const prepared = await prepareOn(slot, () => this.#fleet.spare)
    for (const lane of this.#fleet.lanes) lane.forgetUnit(slot)
    return tryOutcome(prepared)
  }

  refused(unit: UnitVersion, phase: Phase, reason: FailureReason, message: string): void {
    const slot = this.#slotOf(unit)
    slot.metrics.failed(phase, reason)
    this.#log.failed(slot, reason, message)
  }

  setLive(units: readonly UnitVersion[]): void {
    const live = new Set(units)
    for (const slot of this.#slots.values()) slot.isOff = !live.has(slot.unit)
  }

  release(unit: UnitVersion): void {
    const slot = this.#slots.get(unit)
    if (!slot) return
    slot.isReleased = true
    this.#forget(slot)
  }

  #forget(slot: UnitSlot): void {
    if (slot.users > 0) return
    this.#slots.delete(slot.unit)
    this.#ways = new WeakMap()
    for (const lane of this.#fleet.lanes) lane.forgetUnit(slot)
    this.#inline?.forgetUnit(slot)
  }

  #hotUnits(): readonly UnitSlot[] {
    const { slots } = this.#fleet.active
    const usedAt = (unit: UnitSlot): number => slots.get(unit.index)?.lastUsed ?? 0
    return [...this.#slots.values()]
      .filter(
        ({ quarantined, unit }) => !quarantined && unit.manifest.isolation === 'process' && !unit.shadow,
      )
      .toSorted((a, b) => usedAt(b) - usedAt(a))
  }

  setTail(on: boolean): void {
    this.#log.isTailOn = on
  }

  takeDropped(): number {
    return this.#log.takeDropped()
  }

  sampledOut(unit: UnitVersion, phases: number): void {
    this.#slotOf(unit).metrics.sampledOut(phases)
  }

  breakerState(unit: UnitVersion): BreakerState | 'quarantined' {
    const slot = this.#slotOf(unit)
    return slot.quarantined ? 'quarantined' : slot.health.breaker.state
  }

  metrics(): MetricSample[] {
    const worker = String(this.#options.worker)
    const samples = [...this.#slots.values()].flatMap((slot) => slot.samples(worker))
    samples.push({ name: 'orla_sandbox_restarts_total', labels: {}, value: this.#fleet.restarts })
    samples.push({ name: 'orla_unit_replays_total', labels: {}, value: this.#replays })
    return samples
  }

  get protections(): readonly string[] {
    return this.#fleet.protections
  }

  get sandboxPids(): readonly number[] {
    return this.#fleet.pids
  }

  /** What goes on after answers is given a moment: it was promised, and nobody else will do it. */
  async #backgroundEnds(): Promise<void> {
    const lanes = () => (this.#inline ? [this.#inline, ...this.#fleet.lanes] : this.#fleet.lanes)
    const isBusy = () =>
      lanes().some(({ slots }) => [...slots.values()].some((slot) => slot.background.size > 0))
    const deadline = performance.now() + BACKGROUND_GRACE_MS
    while (isBusy() && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 10))
  }

  async close(): Promise<void> {
    if (this.#engine.size > 0) await new Promise<void>((resolve) => (this.#onIdle = resolve))
    await this.#backgroundEnds()
    this.#inline?.shut()
    await this.#fleet.close()
  }
}
