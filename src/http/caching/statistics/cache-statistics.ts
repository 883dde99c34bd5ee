/**
 * What the cache of one site did on one worker, since it was made: plain numbers, which whoever asks sums over workers.
 *
 * A hit costs an addition and a countdown: which objects are wanted most is learnt from a sample (`top-objects.ts`).
 */
import type { CacheReading } from '../../../contract/cache-reading.ts'
import type { ResponseCache } from '../response-cache.ts'
import { ageHistogram } from './evicted-age.ts'
import type { StoredResponse } from '../stored-response.ts'
import { TopObjects } from './top-objects.ts'

export class CacheStatistics {
  /** Most requests. */
  #hits = 0
  /** Requests by any other result of their look-up. */
  readonly #results = new Map<string, number>()
  /** Answers that were not kept, by reason. */
  readonly #refusals = new Map<string, number>()
  #cacheBytes = 0
  #originBytes = 0
  readonly #top: TopObjects

  /** `topShare`: of hits that are counted for the list of the most wanted objects, 0 to 1. */
  constructor(topShare: number, random: () => number) {
    this.#top = new TopObjects(topShare, random)
  }

  /** What a look-up came to: `hit`, `uri-miss`, `vary-miss`, `stale`, `collapsed`, the reason of a bypass… */
  count(result: string): void {
    if (result === 'hit') this.#hits++
    else this.#results.set(result, (this.#results.get(result) ?? 0) + 1)
  }

  /** `bytes`: of the body that goes out. */
  hit(key: string, entry: StoredResponse, bytes: number): void {
    if (this.#top.isDue()) this.#top.note(key, bytes, entry.bornMs, entry.freshUntilMs)
  }

  /** An answer was not kept. */
  refused(reason: string): void {
    this.#refusals.set(reason, (this.#refusals.get(reason) ?? 0) + 1)
  }

  /** An answer is out, heads included. */
  sent(source: string | undefined, bytes: number): void {
    if (source === 'cache') this.#cacheBytes += bytes
    else if (source === 'origin') this.#originBytes += bytes
  }

  /** With so many of the most wanted objects. */
  read(topMax: number, nowMs: number): Omit<CacheReading, 'site' | keyof StoreReading> {
    return {
      results: { hit: this.#hits, ...Object.fromEntries(this.#results) },
      refusals: Object.fromEntries(this.#refusals),
      bytes: { cache: this.#cacheBytes, origin: this.#originBytes },
      top: topMax === 0 ? [] : this.#top.list(topMax, nowMs),
    }
  }
}

type StoreReading = Pick<CacheReading, 'counters' | 'evictedAge'>

/** What a store holds and did. */
export const readStore = ({ counters }: ResponseCache): StoreReading => ({
  counters: numbersIn({ ...counters, evictedAges: undefined }),
  evictedAge: ageHistogram(counters.evictedAges),
})

/** Whatever is counted is told by its name, `refused.size` where it has parts: what comes with a tier or an admission needs no line here. */
function numbersIn(counters: Readonly<Record<string, unknown>>): Record<string, number> {
  const numbers: Record<string, number> = {}
  for (const [name, value] of Object.entries(counters)) {
    if (typeof value === 'number') numbers[name] = value
    else if (typeof value === 'object' && value !== null)
      for (const [word, count] of Object.entries(value))
        if (typeof count === 'number') numbers[`${name}.${word}`] = count
  }
  return numbers
}
