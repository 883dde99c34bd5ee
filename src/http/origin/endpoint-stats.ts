/** What happened at one endpoint, in plain numbers: a request adds, a scrape reads. */
import type { ErrorCode } from '../../base/error-codes.ts'
import { DurationHistogram } from '../duration-histogram.ts'

/** Why an endpoint took no more requests: which of its bounds was reached. */
export type OverflowReason =
  | 'connections' // all are in use, and nobody may wait
  | 'pending' // as many wait as may
  | 'requests' // as many are under way as may be
  | 'uploads' // as many of those whose body is still to come

export class EndpointStats {
  /** Requests that were sent its way, those tried again there included. */
  requests = 0
  errors = 0
  readonly errorsByReason = new Map<string, number>()
  /** Answers by class of status, 1 to 5. */
  readonly answers = new Float64Array(6)
  readonly connects = new DurationHistogram()
  readonly responses = new DurationHistogram()
  readonly overflows: Record<OverflowReason, number> = { connections: 0, pending: 0, requests: 0, uploads: 0 }
  readonly checks = { ok: 0, failed: 0 }
  ejections = 0

  countAnswer(status: number, connectMs: number, responseMs: number): void {
    this.answers[Math.trunc(status / 100)]! += 1
    if (connectMs > 0) this.connects.add(connectMs)
    this.responses.add(responseMs)
  }

  countError(code: ErrorCode): void {
    // `refused`, `closed`, `timeout-response`…
    const reason = code.replace('origin-', '')
    this.errors += 1
    this.errorsByReason.set(reason, (this.errorsByReason.get(reason) ?? 0) + 1)
  }
}
