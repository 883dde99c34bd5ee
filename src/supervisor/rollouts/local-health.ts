/** How versions in rollouts fare on this node, out of what its workers count. */
import { randomUUID } from 'node:crypto'
import type { Clock } from '../../base/clock.ts'
import { addHistograms } from '../../base/histogram.ts'
import type { Config } from '../../config/schema.ts'
import type { MetricSample, HistogramValue } from '../../contract/messages.ts'
import type { RolloutHealth, RolloutSample, ShadowCounts, ShadowExample } from '../../contract/rollout.ts'
import type { StoreView } from '../../contract/store.ts'
import type { FailureReason } from '../../contract/unit.ts'
import { listPointers } from '../../unit/records.ts'
import type { MetricSums } from '../metrics/metric-sums.ts'
import type { Quarantines } from '../workers/quarantine.ts'

export interface LocalHealthOptions {
  readonly clock: Pick<Clock, 'monotonic'>
  readonly config: Config
  readonly store: StoreView
  readonly sums: MetricSums
  readonly quarantines: Quarantines
  /** Asks the workers, and waits a moment for their answers. */
  readonly refresh: () => Promise<void>
}

/** Differences of one version that are kept. */
const EXAMPLES_MAX = 10

export class LocalHealth implements RolloutHealth {
  readonly #options: LocalHealthOptions
  /** The counts last as long as this program. */
  readonly #instance = randomUUID()
  readonly #beganMs: number
  #latest: readonly RolloutSample[] = []
  #examples: readonly ShadowExample[] = []

  constructor(options: LocalHealthOptions) {
    this.#options = options
    this.#beganMs = options.clock.monotonic()
  }

  /** What a worker saw: the last ones are kept. */
  note(example: ShadowExample): void {
    const isSame = (one: ShadowExample) => one.unit === example.unit && one.version === example.version
    const same = [...this.#examples.filter(isSame), example].slice(-EXAMPLES_MAX)
    const others = this.#examples.filter((one) => !isSame(one)).slice(-10 * EXAMPLES_MAX)
    this.#examples = [...others, ...same]
  }

  /** As they were when they were asked for last. */
  get latest(): readonly RolloutSample[] {
    return this.#latest
  }

  async samples(): Promise<readonly RolloutSample[]> {
    await this.#options.refresh()
    return (this.#latest = this.#samples())
  }

  #samples(): readonly RolloutSample[] {
    const { store, sums } = this.#options
    const wanted = listPointers(store).flatMap(([unit, { rollout }]) =>
      rollout === undefined ? [] : [rollout.version, rollout.from].map((version) => ({ unit, version })),
    )
    if (wanted.length === 0) return []
    const byVersion = Map.groupBy(
      sums.total().filter(({ name, labels }) => name.startsWith('orla_unit_') && labels['version']),
      ({ labels }) => `${labels['unit']}@${labels['version']}`,
    )
    return wanted.map(({ unit, version }) =>
      this.#sample(unit, version, byVersion.get(`${unit}@${version}`) ?? []),
    )
  }

  #sample(unit: string, version: number, series: readonly MetricSample[]): RolloutSample {
    const { config, quarantines } = this.#options
    const named = (name: string) => series.filter((sample) => sample.name === name)
    const answers = named('orla_unit_answers_total')
    const breakers = named('orla_unit_breaker_state').filter(({ value }) => value === 1)
    const shadow = byLabel(named('orla_unit_shadow_total'), 'result')
    const none: ShadowCounts = { same: 0, different: 0, failed: 0, skipped: 0 }
    return {
      node: config.node.name ?? '',
      instance: this.#instance,
      countedForMs: Math.floor(this.#options.clock.monotonic() - this.#beganMs),
      unit,
      version,
      requests: sumOf(answers),
      serverErrors: sumOf(answers.filter(({ labels }) => labels['status'] === '5xx')),
      errors: byLabel(named('orla_unit_errors_total'), 'reason') as RolloutSample['errors'],
      cpuSeconds: histogramOf(named('orla_unit_cpu_seconds')),
      wallSeconds: histogramOf(named('orla_unit_wall_seconds')),
      isBreakerOpen: breakers.some(({ labels }) => /open/.test(labels['state'] ?? '')),
      quarantined: quarantines.of({ name: unit, version })?.reason as FailureReason | undefined,
      shadow: { ...none, ...shadow },
      examples: this.#examples.filter((one) => one.unit === unit && one.version === version),
    }
  }
}

const sumOf = (series: readonly MetricSample[]): number =>
  series.reduce((sum, { value }) => sum + (typeof value === 'number' ? value : 0), 0)

/** Sums by the value of a label. */
const byLabel = (series: readonly MetricSample[], label: string): Readonly<Record<string, number>> =>
  Object.fromEntries(
    [...Map.groupBy(series, ({ labels }) => labels[label] ?? '')].map(([key, of]) => [key, sumOf(of)]),
  )

/** Over all phases. */
const histogramOf = (series: readonly MetricSample[]): HistogramValue | undefined =>
  series
    .map(({ value }) => value)
    .filter((value) => typeof value !== 'number')
    .reduce<HistogramValue | undefined>((sum, one) => (sum ? addHistograms(sum, one) : one), undefined)
