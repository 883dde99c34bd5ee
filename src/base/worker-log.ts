/**
 * What a worker has to tell the operator, handed to the supervisor in bundles.
 *
 * A worker does not write to standard error itself: a pipe that nobody reads would block it, and its clients with it. Lines
 * are bounded; an origin that is down would otherwise write one a request.
 */
export interface OperatorLines {
  readonly warnings: readonly string[]
  /** Lines left out since the last time. */
  readonly dropped: number
}

const LINES_MAX = 50
const EVERY_MS = 250

export class WorkerLog {
  readonly #send: (lines: OperatorLines) => void
  #warnings: string[] = []
  #dropped = 0
  #timer: NodeJS.Timeout | undefined

  constructor(send: (lines: OperatorLines) => void) {
    this.#send = send
  }

  warn(line: string): void {
    if (this.#warnings.length < LINES_MAX) this.#warnings.push(line)
    else this.#dropped += 1
    this.#timer ??= setTimeout(() => this.flush(), EVERY_MS)
  }

  flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#warnings.length === 0) return
    this.#send({ warnings: this.#warnings, dropped: this.#dropped })
    this.#warnings = []
    this.#dropped = 0
  }
}
