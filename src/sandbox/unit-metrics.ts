/** What is counted of one version: plain numbers, since they are touched with every run. */
import { Histogram } from '../base/histogram.ts'
import { PHASES, PHASE_BITS, type FailureReason, type UnitVersion } from '../contract/unit.ts'
import type { CallKind } from '../contract/host-calls.ts'
import type { MetricSample } from '../contract/messages.ts'

/** Upper bounds in seconds: 1-2-5 from ten microseconds to five seconds. */
const BOUNDS: readonly number[] = [
  1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5,
]

/** Runs of the phases that cross together. */
class PhaseSet {
  readonly cpu = new Histogram(BOUNDS)
  readonly wall = new Histogram(BOUNDS)
  runs = 0
}

export class UnitMetrics {
  /** By the OR of phase bits that ran together. */
  readonly #sets = new Map<number, PhaseSet>()
  readonly #errors = new Map<string, number>()
  readonly #sampledOut = new Map<number, number>()
  /** Calls of the host by kind and how they ended. */
  readonly #calls = new Map<CallKind, { ok: number; failed: number }>()

  ran(phases: number, cpuUs: number, wallMs: number): void {
    let set = this.#sets.get(phases)
    if (!set) this.#sets.set(phases, (set = new PhaseSet()))
    set.runs++
    set.cpu.observe(cpuUs / 1e6)
    set.wall.observe(wallMs / 1e3)
  }

  failed(phase: string, reason: FailureReason): void {
    const key = `${phase} ${reason}`
    this.#errors.set(key, (this.#errors.get(key) ?? 0) + 1)
  }

  sampledOut(phases: number): void {
    this.#sampledOut.set(phases, (this.#sampledOut.get(phases) ?? 0) + 1)
  }

  called(kind: CallKind, isOk: boolean): void {
    let counts = this.#calls.get(kind)
    if (!counts) this.#calls.set(kind, (counts = { ok: 0, failed: 0 }))
    if (isOk) counts.ok++
    else counts.failed++
  }

  samples(unit: UnitVersion): MetricSample[] {
    const labels = { unit: unit.name, version: String(unit.version) }
    const samples: MetricSample[] = []
    const runs = new Map<string, number>()
    for (const [phases, set] of this.#sets) {
      for (const phase of phaseNames(phases)) runs.set(phase, (runs.get(phase) ?? 0) + set.runs)
      // What crosses together is measured together.
      const phase = phaseNames(phases).join('+')
      samples.push({ name: 'orla_unit_cpu_seconds', labels: { ...labels, phase }, value: set.cpu.value })
      samples.push({ name: 'orla_unit_wall_seconds', labels: { ...labels, phase }, value: set.wall.value })
    }
    for (const [phase, value] of runs)
      samples.push({ name: 'orla_unit_runs_total', labels: { ...labels, phase }, value })
    for (const [key, value] of this.#errors) {
      const [phase, reason] = key.split(' ')
      const of = { ...labels, phase: phase!, reason: reason! }
      samples.push({ name: 'orla_unit_errors_total', labels: of, value })
    }
    for (const [kind, counts] of this.#calls) {
      for (const result of ['ok', 'failed'] as const) {
        const of = { ...labels, kind, result }
        if (counts[result] > 0)
          samples.push({ name: 'orla_unit_calls_total', labels: of, value: counts[result] })
      }
    }
    for (const [phases, value] of this.#sampledOut) {
      for (const phase of phaseNames(phases)) {
        samples.push({ name: 'orla_unit_sampled_out_total', labels: { ...labels, phase }, value })
      }
    }
    return samples
  }
}

const phaseNames = (phases: number): string[] => PHASES.filter((phase) => (phases & PHASE_BITS[phase]) !== 0)
