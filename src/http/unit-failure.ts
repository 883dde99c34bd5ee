/** A unit failed, its policy is `closed`, and others than its own request wait for what it was part of. */
import { EdgeError } from '../base/errors.ts'
import type { FailureReason } from '../contract/unit.ts'

export class UnitFailure extends EdgeError {
  readonly unit: string
  readonly reason: FailureReason

  constructor(unit: string, reason: FailureReason) {
    super('unit-failed', `the unit ${unit} failed (${reason})`)
    this.unit = unit
    this.reason = reason
  }
}
