/**
 * The shadows of one worker: which requests they run on, how many at a time, and what came of it.
 *
 * A shadow runs when the live version has decided, in a sandbox of its own, and nobody waits for it.
 */
import type { MetricSample } from '../../contract/messages.ts'
import type { ShadowCounts, ShadowExample } from '../../contract/rollout.ts'
import { versionKey, type UnitVersion } from '../../contract/unit.ts'
import type { Trip, UnitRunner } from '../../contract/unit-runner.ts'
import { PaceBudget } from '../../base/pace-budget.ts'
import { isInShare } from '../../unit/rollout/stages.ts'
import type { Exchange } from '../exchange.ts'
import { ShadowedRequest, ShadowRun } from './shadowed-request.ts'
import type { ShadowUnit } from './shadow-units.ts'

export type ShadowResult = keyof ShadowCounts

/** Runs under way. What comes on top is left out: requests of clients go first. */
const RUNNING_MAX = 16
/** Differences that are told to the supervisor: it keeps the last ones. */
const EXAMPLES = { most: 10, everyMs: 200 }
/** Versions whose results are kept; the one that came first makes room. */
const VERSIONS_MAX = 100

export interface ShadowDeskOptions {
  readonly runner: Pick<UnitRunner, 'run'>
  readonly monotonic: () => number
  /** Not of all requests that differ. */
  onExample(example: ShadowExample): void
}

export class ShadowDesk {
  private readonly options: ShadowDeskOptions
  private readonly results = new Map<
    string,
    { readonly unit: UnitVersion; readonly counts: Record<ShadowResult, number> }
  >()
  private readonly examples: PaceBudget
  private running = 0

  constructor(options: ShadowDeskOptions) {
    this.options = options
    this.examples = new PaceBudget(options.monotonic(), EXAMPLES)
  }

  /** Undefined where no shadow runs on this request. */
  begin(exchange: Exchange, shadows: readonly ShadowUnit[]): ShadowedRequest | undefined {
    const { head, client, plan } = exchange
    const runs = shadows.flatMap((unit): ShadowRun[] => {
      if (!isInShare(unit.next, unit.share, client.address)) return []
      const isNext = !unit.matcher.match(head.host, head.path, head.method).isEmpty
      const isLive = plan.units.includes(unit.live)
      // Left out by its sample, or by what it matches: then only the new version can tell.
      const isSampledOut = !isLive && unit.live.manifest.sample.share < 1
      return (isNext || isLive) && !isSampledOut ? [new ShadowRun(this, exchange, unit, isNext, isLive)] : []
    })
    if (runs.length === 0) return undefined
    const request = new ShadowedRequest(runs)
    request.begin()
    return request
  }

  /** False where too much is under way. */
  run(trip: Trip): boolean {
    if (this.running >= RUNNING_MAX) return false
    this.running += 1
    this.options.runner.run({
      ...trip,
      done: (outcome) => {
        this.running -= 1
        trip.done(outcome)
      },
    })
    return true
  }

  note(unit: UnitVersion, result: ShadowResult, example: ShadowExample | undefined): void {
    const key = versionKey(unit)
    let known = this.results.get(key)
    if (known === undefined) {
      if (this.results.size >= VERSIONS_MAX) this.results.delete(this.results.keys().next().value!)
      this.results.set(key, (known = { unit, counts: { same: 0, different: 0, failed: 0, skipped: 0 } }))
    }
    known.counts[result] += 1
    if (example && this.examples.take(this.options.monotonic(), EXAMPLES)) this.options.onExample(example)
  }

  samples(): MetricSample[] {
    return [...this.results.values()].flatMap(({ unit: { name, version }, counts }) =>
      Object.entries(counts).map(([result, value]) => ({
        name: 'orla_unit_shadow_total',
        labels: { unit: name, version: String(version), result },
        value,
      })),
    )
  }
}
