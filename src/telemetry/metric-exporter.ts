/** Sends all metrics of a node every now and then. A report that is late is not sent twice: the next one says more. */
import { within } from '../base/within.ts'
import type { MetricSample } from '../contract/messages.ts'
import type { MetricSettings, TelemetrySettings } from '../contract/telemetry.ts'
import { Courier, type CourierDeps, type DeliveryCounts } from './courier.ts'
import { batchEncoding, type BatchEncoding } from './encoding.ts'
import { MetricRecords } from './metric-records.ts'

export interface MetricSource {
  samples(): Promise<readonly MetricSample[]>
  /** A sentence for each name. */
  readonly help: Readonly<Record<string, string>>
  /** When the node began to count, in microseconds since 1970. */
  readonly startUs: number
}

export class MetricExporter {
  readonly #encoding: BatchEncoding
  readonly #courier: Courier
  readonly #source: MetricSource
  readonly #records: MetricRecords
  readonly #everyMs: number
  readonly #now: () => number
  readonly #warn: (line: string) => void
  readonly #timer: NodeJS.Timeout
  #reporting: Promise<void> | undefined
  #isClosed = false

  constructor(
    { collector, everyMs }: MetricSettings,
    resource: TelemetrySettings['resource'],
    source: MetricSource,
    counts: DeliveryCounts,
    deps: Omit<CourierDeps, 'signal'> & { readonly now: () => number },
  ) {
    this.#source = source
    this.#everyMs = everyMs
    this.#now = deps.now
    this.#warn = deps.warn
    this.#records = new MetricRecords(source.startUs, source.help)
    this.#encoding = batchEncoding('metrics', collector.protocol, resource)
    this.#courier = new Courier(collector, this.#encoding.contentType, counts, { ...deps, signal: 'metrics' })
    this.#timer = setInterval(() => this.#report(), everyMs)
  }

  #report(): void {
    this.#reporting ??= this.#send()
      .catch((error: Error) => this.#warn(`telemetry: metrics were not put together: ${error.message}`))
      .finally(() => (this.#reporting = undefined))
  }

  async #send(): Promise<void> {
    const samples = await this.#source.samples()
    const records = this.#records.take(samples, this.#now() * 1000)
    const items = records.map((record) => this.#encoding.item(record))
    await this.#courier.deliver(this.#encoding.batch(items), samples.length, this.#everyMs)
  }

  /** A last report, within that time. */
  async close(withinMs: number): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    clearInterval(this.#timer)
    this.#courier.hurry()
    const last = (async () => {
      await this.#reporting
      await this.#send()
    })()
    await within(withinMs, last).catch(() => {})
    this.#courier.close()
  }
}
