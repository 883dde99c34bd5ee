/** The part of a worker in telemetry: it sends the spans of its requests by itself, and counts what became of them. */
import type { MetricSample } from '../contract/messages.ts'
import type { SpanSink, TelemetrySettings } from '../contract/telemetry.ts'
import { DeliveryCounts, type CourierDeps } from './courier.ts'
import { SpanExporter } from './span-exporter.ts'

/** What a collector is given for the last batches. */
const CLOSE_MS = 2000

export class WorkerTelemetry {
  readonly #deps: Omit<CourierDeps, 'signal'>
  readonly #counts = new DeliveryCounts('traces')
  #exporter: SpanExporter | undefined
  /** What it was told last: a worker that starts hears the same twice. */
  #told: string | undefined
  /** What was counted once is shown from then on: a total that vanished would look like a loss. */
  #wasUsed = false

  constructor(deps: Omit<CourierDeps, 'signal'>) {
    this.#deps = deps
  }

  /** Undefined where nobody asks for spans: a request then costs one comparison. */
  get tracer(): SpanSink | undefined {
    return this.#exporter
  }

  /** From now on, also while requests are under way: their spans go where they began. */
  use(settings: TelemetrySettings | undefined): void {
    const told = JSON.stringify(settings)
    if (told === this.#told) return
    this.#told = told
    const before = this.#exporter
    this.#exporter =
      settings?.traces && new SpanExporter(settings.traces, settings.resource, this.#counts, this.#deps)
    this.#wasUsed ||= this.#exporter !== undefined
    void before?.close(CLOSE_MS)
  }

  samples(): MetricSample[] {
    if (!this.#wasUsed) return []
    return [...this.#counts.samples(), ...(this.#exporter?.samples() ?? [])]
  }

  async close(): Promise<void> {
    await this.#exporter?.close(CLOSE_MS)
  }
}
