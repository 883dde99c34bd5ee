/**
 * Refusals on their way to whoever counts them for the whole node: gathered for a moment, so that a flood of requests is a few messages a second,
 * however many it has.
 */
import type { CountedRefusals } from '../contract/messages.ts'

interface Gathered extends CountedRefusals {
  count: number
}

const GATHER_MS = 50
/** Clients and limits that one message names; what refuses others meanwhile is not counted. */
const NAMED_MAX = 10_000

export class CountedRefusalsBatch {
  readonly #send: (refusals: readonly CountedRefusals[]) => void
  #gathered = new Map<string, Gathered>()
  #timer: NodeJS.Timeout | undefined

  constructor(send: (refusals: readonly CountedRefusals[]) => void) {
    this.#send = send
  }

  add(
    prefix: string,
    limit: string,
    ban: { readonly after: number; readonly within: number; readonly for: number },
  ): void {
    const key = `${prefix} ${limit}`
    const known = this.#gathered.get(key)
    if (known !== undefined) {
      known.count += 1
      return
    }
    if (this.#gathered.size >= NAMED_MAX) return
    const { after, within: withinMs, for: forMs } = ban
    this.#gathered.set(key, { prefix, limit, count: 1, after, withinMs, forMs })
    this.#timer ??= setTimeout(() => this.#flush(), GATHER_MS)
  }

  #flush(): void {
    this.#timer = undefined
    const refusals = [...this.#gathered.values()]
    this.#gathered = new Map()
    this.#send(refusals)
  }

  close(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }
}
