/**
 * What an edge does about rollouts: it counts, and tells its control plane, which judges. While nothing is on its way it tells nothing.
 */
import { RegularLook } from './regular-look.ts'
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
  readonly #regular: RegularLook
  #told = ''

  constructor(options: RolloutReporterOptions) {
    this.#options = options
    this.#regular = new RegularLook({
      everyMs: EVERY_MS,
      work: () => this.#look(),
      failed: 'how rollouts fare here is not told',
      warn: options.warn,
    })
  }

  start(): void {
    this.#regular.start()
  }

  stop(): void {
    this.#regular.stop()
  }

  look(): Promise<void> {
    return this.#regular.look()
  }

  async #look(): Promise<void> {
    const { health, live, report } = this.#options
    if (live().rollouts === undefined) return
    const text = JSON.stringify(await health.samples(), withoutTime)
    if (text === this.#told) return
    report()
    this.#told = text
  }
}

/** That time goes by is nothing new. */
const withoutTime = (key: string, value: unknown): unknown => (key === 'countedForMs' ? undefined : value)
