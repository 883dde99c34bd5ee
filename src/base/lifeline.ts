/**
 * What something lives on that others wait for, such as a connection: once it is cut, whoever waits is told why.
 *
 * The first problem says why; those after it say only that it is gone.
 */
export class Lifeline {
  #problem: Error | undefined
  readonly #waiting = new Set<(problem: Error) => void>()

  /** Why it was cut; undefined as long as it holds. */
  get problem(): Error | undefined {
    return this.#problem
  }

  /** Whoever waits is told the problem. False: it was cut before. */
  cut(problem: Error): boolean {
    if (this.#problem !== undefined) return false
    this.#problem = problem
    for (const reject of this.#waiting) reject(problem)
    return true
  }

  /** What the work yields; rejects with why it was cut, also where the work itself is never told of that. `onLate` is called after so many milliseconds. */
  async hold<T>(ms: number, work: Promise<T>, onLate: () => void): Promise<T> {
    const { promise: lost, reject } = Promise.withResolvers<never>()
    const timer = setTimeout(onLate, ms)
    this.#waiting.add(reject)
    if (this.#problem !== undefined) reject(this.#problem)
    try {
      return await Promise.race([work, lost])
    } catch (error) {
      throw this.#problem ?? error
    } finally {
      clearTimeout(timer)
      this.#waiting.delete(reject)
    }
  }
}
