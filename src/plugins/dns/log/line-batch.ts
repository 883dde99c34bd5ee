/** Lines on their way out: one write a turn, and no more waiting than a bound, so that a slow reader costs lines and not memory. */
import type { DnsLogSink } from '../../../contract/dns.ts'

const CHARACTERS_MAX = 1 << 20

export class LineBatch {
  readonly #sink: DnsLogSink
  #waiting: string[] = []
  #characters = 0
  #lost = 0
  #isWriting = false
  #isPlanned = false

  constructor(sink: DnsLogSink) {
    this.#sink = sink
  }

  /** With its end of line. */
  add(line: string): void {
    if (this.#characters + line.length > CHARACTERS_MAX) {
      this.#lost += 1
      return
    }
    this.#waiting.push(line)
    this.#characters += line.length
    if (this.#isPlanned || this.#isWriting) return
    this.#isPlanned = true
    setImmediate(() => {
      this.#isPlanned = false
      this.#write()
    })
  }

  #write(done?: () => void): void {
    if (this.#lost > 0)
      this.#waiting.push(`[WARNING] plugin/log: ${this.#lost} lines were lost: nobody took them in time\n`)
    const text = this.#waiting.join('')
    this.#waiting = []
    this.#characters = 0
    this.#lost = 0
    if (text === '') return done?.()
    this.#isWriting = true
    this.#sink.write(text, () => {
      this.#isWriting = false
      if (this.#waiting.length > 0) this.#write()
      done?.()
    })
  }

  /** Resolves when what waits now has gone, or after a second. */
  async flush(): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, 1000)
      this.#write(() => {
        clearTimeout(timer)
        resolve()
      })
    })
  }
}
