/**
 * Gathers the spans of a worker and sends them in batches.
 *
 * What waits is bounded in number and in bytes: while the collector is slow or gone, spans are dropped and counted, and requests go on as
 * ever. Each is encoded when it comes; a batch is those pieces put together.
 */
import { within } from '../base/within.ts'
import type { MetricSample } from '../contract/messages.ts'
import type { Span, SpanSink, TelemetrySettings, TraceSettings } from '../contract/telemetry.ts'
import { Courier, DeliveryCounts, type CourierDeps } from './courier.ts'
import { batchEncoding, sizeOf, type BatchEncoding, type Item } from './encoding.ts'
import { spanRecord } from './span-record.ts'

/** A batch leaves when so many spans or bytes wait, or after a moment. */
const BATCH_SPANS = 512
const BATCH_BYTES = 512 * 1024
const GATHER_MS = 1000
/** What waits beyond the batch that is under way, at most. */
const QUEUE_SPANS = 4096
const QUEUE_BYTES = 4 * 1024 * 1024
/** A batch that did not come through for so long is given up: what is newer is worth more. */
const BATCH_AGE_MS = 60_000

export class SpanExporter implements SpanSink {
  readonly sample: number
  readonly query: boolean
  readonly #encoding: BatchEncoding
  readonly #courier: Courier
  readonly #counts: DeliveryCounts
  #items: Item[] = []
  #bytes = 0
  #timer: NodeJS.Timeout | undefined
  #sending: Promise<void> | undefined
  #isClosed = false

  constructor(
    traces: TraceSettings,
    resource: TelemetrySettings['resource'],
    counts: DeliveryCounts,
    deps: Omit<CourierDeps, 'signal'>,
  ) {
    this.sample = traces.sample
    this.query = traces.query
    this.#counts = counts
    this.#encoding = batchEncoding('traces', traces.collector.protocol, resource)
    this.#courier = new Courier(traces.collector, this.#encoding.contentType, counts, {
      ...deps,
      signal: 'traces',
    })
  }

  add(span: Span): void {
    if (this.#isClosed) {
      this.#counts.drop('closed', 1)
      return
    }
    if (this.#items.length >= QUEUE_SPANS || this.#bytes >= QUEUE_BYTES) {
      this.#counts.drop('full', 1)
      return
    }
    const item = this.#encoding.item(spanRecord(span))
    this.#items.push(item)
    this.#bytes += sizeOf(item)
    if (this.#items.length >= BATCH_SPANS || this.#bytes >= BATCH_BYTES) this.#send()
    else this.#timer ??= setTimeout(this.#onTimer, GATHER_MS)
  }

  readonly #onTimer = (): void => {
    this.#timer = undefined
    this.#send()
  }

  #send(): void {
    if (this.#items.length === 0) return
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = undefined
      // What came after the last look.
      if (this.#items.length > 0 && !this.#isClosed) this.#timer ??= setTimeout(this.#onTimer, GATHER_MS)
    })
  }

  /** While a full batch waits, or what has waited for its moment. */
  async #sendAll(): Promise<void> {
    do {
      const batch = this.#takeBatch()
      await this.#courier.deliver(this.#encoding.batch(batch), batch.length, BATCH_AGE_MS)
    } while (
      this.#items.length >= BATCH_SPANS ||
      this.#bytes >= BATCH_BYTES ||
      (this.#isClosed && this.#items.length > 0)
    )
  }

  #takeBatch(): Item[] {
    let bytes = 0
    let count = 0
    while (count < this.#items.length && count < BATCH_SPANS && bytes < BATCH_BYTES)
      bytes += sizeOf(this.#items[count++]!)
    this.#bytes -= bytes
    return this.#items.splice(0, count)
  }

  samples(): MetricSample[] {
    return [{ name: 'orla_telemetry_waiting', labels: { signal: 'traces' }, value: this.#items.length }]
  }

  /** Sends what waits, within that time; the rest is dropped. */
  async close(withinMs: number): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#timer)
    this.#courier.hurry()
    const rest = (async () => {
      await this.#sending
      if (this.#items.length > 0) await this.#sendAll()
    })()
    await within(withinMs, rest)
    this.#counts.drop('closed', this.#items.length)
    this.#items = []
    this.#bytes = 0
    this.#courier.close()
  }
}
