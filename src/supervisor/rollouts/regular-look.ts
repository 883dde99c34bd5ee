/** Work that is done again and again, one at a time; what goes wrong with it is told once, until something else does. */
export interface RegularLookOptions {
  readonly everyMs: number
  readonly work: () => Promise<void>
  /** What stands before the reason why it failed. */
  readonly failed: string
  readonly warn: (line: string) => void
}

export class RegularLook {
  readonly #options: RegularLookOptions
  #lastWarning = ''
  #timer: NodeJS.Timeout | undefined
  #looking: Promise<void> | undefined

  constructor(options: RegularLookOptions) {
    this.#options = options
  }

  start(): void {
    this.#timer ??= setInterval(() => void this.look(), this.#options.everyMs)
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  /** Now; where one is under way, that one. */
  look(): Promise<void> {
    const { work, failed } = this.#options
    return (this.#looking ??= work()
      .catch((error: Error) => this.warn(`${failed}: ${error.message}`))
      .finally(() => (this.#looking = undefined)))
  }

  warn(line: string): void {
    if (line === this.#lastWarning) return
    this.#lastWarning = line
    this.#options.warn(line)
  }
}
