/**
 * Passes on what units log and how they fail to whoever listens (`orla tail`), and keeps the last errors of each unit.
 *
 * Workers send log lines only while somebody listens; errors always. Nothing here waits for a listener: a slow one
 * loses lines, and is told how many.
 */
import type { TailLine } from '../contract/messages.ts'
import type { TailListener } from '../control/node.ts'

/** Errors kept for each unit, for `GET /v1/units/NAME`. */
const ERRORS_KEPT = 20
/** A line longer than this many characters is cut: a unit may log megabytes. */
const MESSAGE_MAX = 8192

interface Subscription {
  readonly unit: string | undefined
  readonly listener: TailListener
}

export class TailHub {
  readonly #subscriptions = new Set<Subscription>()
  readonly #errors = new Map<string, TailLine[]>()
  readonly #switchWorkers: (on: boolean) => void

  /** @param switchWorkers asks all workers to send log lines, or to stop. */
  constructor(switchWorkers: (on: boolean) => void) {
    this.#switchWorkers = switchWorkers
  }

  get isOn(): boolean {
    return this.#subscriptions.size > 0
  }

  subscribe(unit: string | undefined, listener: TailListener): () => void {
    const subscription = { unit, listener }
    this.#subscriptions.add(subscription)
    if (this.#subscriptions.size === 1) this.#switchWorkers(true)
    return () => {
      if (this.#subscriptions.delete(subscription) && !this.isOn) this.#switchWorkers(false)
    }
  }

  publish(lines: readonly TailLine[], dropped: number): void {
    for (const long of lines) {
      const line = long.message.length > MESSAGE_MAX ? { ...long, message: cut(long.message) } : long
      if (line.reason !== undefined) this.#keepError(line)
      for (const { unit, listener } of this.#subscriptions) {
        if (unit === undefined || unit === line.unit) listener.onLine(line)
      }
    }
    // A worker does not know whose lines it dropped, so everybody is told.
    if (dropped > 0) for (const { listener } of this.#subscriptions) listener.onDropped(dropped)
  }

  /** The last errors of a unit, the newest last. */
  errors(unit: string): readonly TailLine[] {
    return this.#errors.get(unit) ?? []
  }

  /** A unit was removed: nobody will ask for its errors. */
  forget(unit: string): void {
    this.#errors.delete(unit)
  }

  #keepError(line: TailLine): void {
    const errors = this.#errors.get(line.unit) ?? []
    errors.push(line)
    if (errors.length > ERRORS_KEPT) errors.shift()
    this.#errors.set(line.unit, errors)
  }
}

const cut = (message: string) => `${message.slice(0, MESSAGE_MAX)}… (${message.length} characters)`
