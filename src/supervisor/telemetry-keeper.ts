/**
 * Telemetry as the supervisor has it: what it is to be by configuration and environment, handed to workers for their spans; and the metrics
 * of the whole node, which it sends itself.
 */
import { hostname } from 'node:os'
import type { Clock } from '../base/clock.ts'
import { VERSION } from '../base/version.ts'
import type { Config } from '../config/schema.ts'
import { telemetrySettings, type Environment } from '../config/telemetry.ts'
import type { MetricSample } from '../contract/messages.ts'
import type { TelemetrySettings } from '../contract/telemetry.ts'
import { DeliveryCounts } from '../telemetry/courier.ts'
import { readAuthorities } from '../tls/certificate.ts'
import { trustSystem } from '../tls/system-authorities.ts'
import { MetricExporter } from '../telemetry/metric-exporter.ts'
import type { Follower, Step } from './followers.ts'
import type { Log } from './log.ts'
import { METRIC_HELP } from './metrics/metric-help.ts'

/** What a collector is given for the last report. */
const CLOSE_MS = 2000

export interface TelemetryParts {
  readonly config: Config
  readonly environment: Environment
  readonly clock: Clock
  readonly log: Log
  samples(): Promise<readonly MetricSample[]>
  /** Tells the workers. */
  onChange(settings: TelemetrySettings | undefined): void
}

export class TelemetryKeeper implements Follower {
  readonly #parts: TelemetryParts
  readonly #startUs: number
  readonly #counts = new DeliveryCounts('metrics')
  #wasUsed = false
  #settings: TelemetrySettings | undefined
  #exporter: MetricExporter | undefined

  /** Throws `EdgeError` where configuration or environment cannot be understood. */
  constructor(parts: TelemetryParts) {
    this.#parts = parts
    this.#startUs = parts.clock.now() * 1000
    this.#settings = this.#plan(parts.config)
  }

  get settings(): TelemetrySettings | undefined {
    return this.#settings
  }

  follow(config: Config): Step {
    const settings = this.#plan(config)
    return { use: () => this.#use(settings) }
  }

  /** What a configuration means here. */
  #plan(config: Config): TelemetrySettings | undefined {
    const identity = { name: config.node.name ?? hostname(), host: hostname(), version: VERSION }
    return telemetrySettings(config, this.#parts.environment, identity, readAuthorities)
  }

  start(): void {
    const { clock, log, samples } = this.#parts
    const settings = this.#settings
    if (settings?.metrics?.collector.url.startsWith('https:') && settings.metrics.collector.ca === undefined)
      trustSystem()
    this.#exporter =
      settings?.metrics &&
      new MetricExporter(
        settings.metrics,
        settings.resource,
        { samples, help: METRIC_HELP, startUs: this.#startUs },
        this.#counts,
        { random: Math.random, warn: (line) => log.warn(line), now: () => clock.now() },
      )
    this.#wasUsed ||= this.#exporter !== undefined
  }

  /** What is the same goes on as it is: its sums count from the same start. */
  #use(settings: TelemetrySettings | undefined): void {
    if (JSON.stringify(settings) === JSON.stringify(this.#settings)) return
    void this.#exporter?.close(CLOSE_MS)
    this.#settings = settings
    this.start()
    this.#parts.onChange(settings)
  }

  samples(): MetricSample[] {
    return this.#wasUsed ? this.#counts.samples() : []
  }

  async close(): Promise<void> {
    await this.#exporter?.close(CLOSE_MS)
  }

  /** Without a last report. */
  stop(): void {
    void this.#exporter?.close(0)
  }
}
