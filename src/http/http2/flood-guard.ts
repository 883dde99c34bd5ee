/**
 * What a client may make us do for nothing, before its connection ends with ENHANCE_YOUR_CALM.
 *
 * Four accounts: frames that only cost (PING, SETTINGS, PRIORITY, empty DATA, what nobody knows); streams that are begun and broken off,
 * whether the client resets them (CVE-2023-44487) or makes us do it (CVE-2025-8671); windows, which answer data that was sent; and data
 * that windows cut into frames of nearly nothing.
 */
import { ERROR } from '../../wire/http2/frames.ts'
import { Budget } from './budget.ts'
import { ConnectionError } from './connection-error.ts'

/** An honest client opens its window once for several frames; where it does so for each, on the stream and on the connection, twice. */
const UPDATES_AT_FIRST = 1000
const UPDATES_PER_STREAM = 2
const UPDATES_PER_DATA = 10
/**
 * As nghttp2 has it. A browser breaks off all that a page still loads when it is left, up to `edge.limits.streams` at once, and who moves
 * a map or types into a search does so again and again: a few hundred in some seconds are honest.
 */
const RESETS_AT_FIRST = 1000
const RESETS_PER_SECOND = 33
/** DATA frames shorter than this, cut so by the client's window, cost more than they carry (CVE-2019-9511). */
export const DRIBBLE_BYTES = 128

export class FloodGuard {
  private readonly clock: { readonly nowMs: number }
  private readonly control: Budget
  private readonly resets: Budget
  private readonly dribbles: Budget
  private updatesLeft = UPDATES_AT_FIRST

  constructor(clock: { readonly nowMs: number }) {
    this.clock = clock
    this.control = new Budget(1000, 100, clock.nowMs)
    this.resets = new Budget(RESETS_AT_FIRST, RESETS_PER_SECOND, clock.nowMs)
    this.dribbles = new Budget(1000, 100, clock.nowMs)
  }

  /** A frame that costs us and brings nothing. */
  onIdleFrame(): void {
    if (!this.control.take(this.clock.nowMs))
      throw new ConnectionError(ERROR.enhanceYourCalm, 'frames that bring nothing')
  }

  /** DATA that the client's window cut short of `DRIBBLE_BYTES` was sent. False: there was too much of it. */
  takeDribble(): boolean {
    return this.dribbles.take(this.clock.nowMs)
  }

  /** A stream that came to nothing by the client's doing. */
  onBrokenStream(): void {
    if (!this.takeBrokenStream())
      throw new ConnectionError(ERROR.enhanceYourCalm, 'streams that are opened and broken off')
  }

  /** As `onBrokenStream`, where no frame is being read: false where there were too many. */
  takeBrokenStream(): boolean {
    return this.resets.take(this.clock.nowMs)
  }

  onStream(): void {
    this.updatesLeft += UPDATES_PER_STREAM
  }

  onDataSent(): void {
    // Clients of gRPC measure the way with a PING for each piece that comes, a thousand a second where it is short.
    this.control.refund()
    this.updatesLeft += UPDATES_PER_DATA
  }

  onWindowUpdate(): void {
    this.updatesLeft -= 1
    if (this.updatesLeft < 0)
      throw new ConnectionError(ERROR.enhanceYourCalm, 'windows opened for nothing that was sent')
  }
}
