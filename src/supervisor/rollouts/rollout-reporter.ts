/**
 * What an edge does about rollouts: it counts, and tells its control plane, which judges. While nothing is on its way it tells nothing.
 */
import type { UnitSet } from '../../contract/messages.ts'
import type { LocalHealth } from './local-health.ts'

export interface RolloutReporterOptions {
  readonly health: Pick<LocalHealth, 'samples'>
  readonly live: () => UnitSet
  /** There is something new to tell. */
  readonly report: () => void
  readonly warn: (line: string) => void
}

/** Often enough for a judgement a second, and seldom enough for a thousand edges. */
const EVERY_MS = 2000

export class RolloutReporter {
  readonly #options: RolloutReporterOptions
  #timer: NodeJS.Timeout | undefined
  #told = ''
  #lastWarning = ''
  #looking: Promise<void> | undefined

  constructor(options: RolloutReporterOptions) {
    this.#options = options
  }

  start(): void {
    this.#timer ??= setInterval(() => void this.look(), EVERY_MS)
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  /** One look at a time. */
  look(): Promise<void> {
    return (this.#looking ??= this.#look()
      .catch((error: Error) => this.#warn(`how rollouts fare here is not told: ${error.message}`))
      .finally(() => (this.#looking = undefined)))
  }

  async #look(): Promise<void> {
    const { health, live, report } = this.#options
    if (live().rollouts === undefined) return
    const text = JSON.stringify(await health.samples(), withoutTime)
    if (text === this.#told) return
    report()
    this.#told = text
  }

  #warn(line: string): void {
    if (line === this.#lastWarning) return
    this.#lastWarning = line
    this.#options.warn(line)
  }
}

/** That time goes by is nothing new. */
const withoutTime = (key: string, value: unknown): unknown => (key === 'countedForMs' ? undefined : value)
