/**
 * A small memory for what was learnt a moment ago: each thing for so long, and so many things at most, the oldest
 * going first.
 */
export class Recent<V> {
  readonly #things = new Map<string, { readonly value: V; readonly untilMs: number }>()
  readonly #keepMs: number
  readonly #countMax: number

  constructor(keepMs: number, countMax: number) {
    this.#keepMs = keepMs
    this.#countMax = countMax
  }

  get(key: string, nowMs: number): V | undefined {
    if (this.#things.size === 0) return undefined
    const thing = this.#things.get(key)
    if (thing === undefined) return undefined
    // A clock that was set back must not keep it for longer.
    if (nowMs < thing.untilMs && nowMs >= thing.untilMs - 2 * this.#keepMs) return thing.value
    this.#things.delete(key)
    return undefined
  }

  set(key: string, value: V, nowMs: number): void {
    this.#things.delete(key)
    if (this.#things.size >= this.#countMax) {
      for (const oldest of this.#things.keys()) {
        this.#things.delete(oldest)
        break
      }
    }
    this.#things.set(key, { value, untilMs: nowMs + this.#keepMs })
  }

  delete(key: string): void {
    this.#things.delete(key)
  }

  get size(): number {
    return this.#things.size
  }
}
