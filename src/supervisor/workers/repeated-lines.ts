/** Tells a line once that several workers say at the same moment: a disk that is full is full for all of them. */
export class RepeatedLines {
  readonly #withinMs: number
  readonly #now: () => number
  readonly #said = new Map<string, { readonly worker: number; readonly at: number }>()

  constructor(withinMs = 5000, now = (): number => performance.now()) {
    this.#withinMs = withinMs
    this.#now = now
  }

  /** False where another worker has just said the same. */
  isNews(line: string, worker: number): boolean {
    const at = this.#now()
    for (const [old, said] of this.#said) if (at - said.at > this.#withinMs) this.#said.delete(old)
    const before = this.#said.get(line)
    if (before !== undefined && before.worker !== worker) return false
    this.#said.set(line, { worker, at })
    return true
  }
}
