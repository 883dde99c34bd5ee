/** The lines that units cause: what they log, while somebody listens, and how they fail, always. Floods are cut and counted. */
import { LOG_LEVELS } from './protocol.ts'
import { LOG_LINES, type UnitSlot } from './unit-slot.ts'
import type { Clock } from '../base/clock.ts'
import type { TailLine } from '../contract/messages.ts'
import type { FailureReason, UnitVersion } from '../contract/unit.ts'

export interface UnitLogOptions {
  /** Number of this worker. */
  readonly worker: number
  readonly clock: Clock
  /** A failure of a unit, or a line that it logged while the tail is on. */
  onLine(line: TailLine): void
  /** The author's file and line for a stack in terms of the bundled code: `token.ts:7:3`. */
  locate?(unit: UnitVersion, stack: string): string | undefined
  /** The same stack in terms of the author's files. */
  mapStack?(unit: UnitVersion, stack: string): string
}

export class UnitLog {
  readonly #options: UnitLogOptions
  isTailOn = false
  #dropped = 0

  constructor(options: UnitLogOptions) {
    this.#options = options
  }

  /** Lines that were dropped for being too many, since this was last asked. */
  takeDropped(): number {
    const dropped = this.#dropped
    this.#dropped = 0
    return dropped
  }

  /** `frame` is where it was logged, in terms of the bundled code; empty where only a stack in the text may tell. */
  logged(unit: UnitSlot, level: number, text: string, frame: string): void {
    if (this.isTailOn && this.#admits(unit))
      this.#write(unit, LOG_LEVELS[level] ?? 'info', text, frame || text)
  }

  failed(unit: UnitSlot, reason: FailureReason, message: string): void {
    if (this.#admits(unit)) this.#write(unit, 'error', message, message, reason)
  }

  quarantined(unit: UnitSlot, reason: FailureReason): void {
    this.#write(unit, 'error', 'quarantined until a new version comes', '', reason)
  }

  #admits(unit: UnitSlot): boolean {
    const isAdmitted = unit.lines.take(performance.now(), LOG_LINES)
    if (!isAdmitted) this.#dropped++
    return isAdmitted
  }

  #write(of: UnitSlot, level: TailLine['level'], text: string, stack: string, reason?: FailureReason): void {
    const { worker, clock, locate, mapStack, onLine } = this.#options
    const where = locate?.(of.unit, stack)
    const { name: unit, version } = of.unit
    onLine({
      at: clock.now(),
      unit,
      version,
      level,
      message: mapStack?.(of.unit, text) ?? text,
      worker,
      ...(reason === undefined ? {} : { reason }),
      ...(where === undefined ? {} : { where }),
    })
  }
}
