/** The body of a unit's answer, held against the length that the unit says it has: more or less than that is a failure of the unit's. */
import type { UnitBody, UnitBodySink } from '../contract/unit-runner.ts'
import type { FailureReason } from '../contract/unit.ts'

export class MeasuredBody implements UnitBody, UnitBodySink {
  /** Its length, where the unit says it. */
  readonly bytes: number | undefined
  /** Those of them still to come. */
  left: number | undefined
  private readonly body: UnitBody
  private readonly onLied: (message: string) => void
  private sink!: UnitBodySink

  /** `onLied` is told before the sink is. */
  constructor(body: UnitBody, bytes: number | undefined, onLied: (message: string) => void) {
    this.body = body
    this.bytes = this.left = bytes
    this.onLied = onLied
  }

  start(sink: UnitBodySink): void {
    this.sink = sink
    this.body.start(this)
  }

  resume(): void {
    this.body.resume()
  }

  cancel(why: string): void {
    this.body.cancel(why)
  }

  write(piece: Buffer): boolean {
    if (this.left !== undefined) {
      this.left -= piece.length
      if (this.left < 0) {
        this.lied('more')
        return false
      }
    }
    return this.sink.write(piece)
  }

  end(): void {
    if (this.left !== undefined && this.left > 0) this.lied('less')
    else this.sink.end()
  }

  fail(reason: FailureReason, message: string): void {
    this.sink.fail(reason, message)
  }

  private lied(how: 'more' | 'less'): void {
    const message = `its body has ${how} bytes than its content-length says`
    this.body.cancel(message)
    this.onLied(message)
    this.sink.fail('throw', message)
  }
}

/** Of an answer to HEAD: there is nothing to come, and only its head tells the length that GET would have. */
export const NO_BODY: UnitBody = { start() {}, resume() {}, cancel() {} }
