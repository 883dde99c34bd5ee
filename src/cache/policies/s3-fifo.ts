/**
 * S3-FIFO: three queues, first in, first out. What is new goes through a small one, a tenth of the room; what was used
 * there more than once goes on into the main one, the rest leaves and is remembered as a ghost. A ghost that comes back
 * goes into the main queue at once. What was used in the main queue is put back as the newest, up to three times.
 *
 * A hit only counts to three. Most things are asked for once: they pass through a tenth of the room and do not disturb the
 * rest. Yang and others, "FIFO Queues are All You Need for Cache Eviction", SOSP 2023; that it takes
 * two uses to leave the small queue is from its authors' libCacheSim.
 */
import type { PolicyEntry, PolicyOptions, ReplacementPolicy } from '../../contract/replacement-policy.ts'
import { hashOf } from '../key-hash.ts'
import { EntryList } from './entry-list.ts'
import { GhostQueue } from './ghost-queue.ts'

const SMALL_SHARE = 0.1
/** Uses in the small queue that lead into the main one. */
const USES_TO_MOVE = 2

/** The mark: how often it was used, 0 to 3, and whether it stands, or is about to stand, in the main queue. */
const USES = 3
const MAIN = 4

export class S3Fifo<E extends PolicyEntry<E>> implements ReplacementPolicy<E> {
  readonly usesMax = USES
  readonly #small = new EntryList<E>()
  readonly #main = new EntryList<E>()
  readonly #ghosts = new GhostQueue()
  readonly #mainMax: number

  constructor(options: PolicyOptions) {
    this.#mainMax = options.capacity - Math.floor(options.capacity * SMALL_SHARE)
  }

  onArrive(entry: E): void {
    // A cache that is not full yet has no ghosts, and need not know any hash.
    entry.mark = this.#ghosts.size > 0 && this.#ghosts.take(hashOf(entry)) ? MAIN : 0
  }

  /** A ghost comes back once, whether it is let in or not. */
  onRefuse(hash: number): void {
    this.#ghosts.take(hash)
  }

  onStore(entry: E): void {
    if (entry.mark < MAIN) this.#small.add(entry)
    else this.#main.add(entry)
  }

  onRemove(entry: E, isEvicted: boolean): void {
    if (entry.mark >= MAIN) {
      this.#main.remove(entry)
      return
    }
    this.#small.remove(entry)
    if (!isEvicted) return
    this.#ghosts.add(hashOf(entry), entry.weight)
    this.#ghosts.shrinkTo(this.#mainMax)
  }

  onReweigh(entry: E, weightBefore: number): void {
    const list = entry.mark < MAIN ? this.#small : this.#main
    list.weight += entry.weight - weightBefore
  }

  victim(): E | undefined {
    if (this.#main.weight <= this.#mainMax) {
      for (let oldest = this.#small.oldest; oldest !== undefined; oldest = this.#small.oldest) {
        if (oldest.mark < USES_TO_MOVE) return oldest
        this.#small.remove(oldest)
        oldest.mark = MAIN
        this.#main.add(oldest)
      }
    }
    return this.#mainVictim() ?? this.#small.oldest
  }

  #mainVictim(): E | undefined {
    const main = this.#main
    let { oldest } = main
    // Every round takes a use away: it ends after three times around at the latest.
    while (oldest !== undefined && oldest.mark > MAIN) {
      oldest.mark--
      main.renew(oldest)
      oldest = main.oldest
    }
    return oldest
  }
}
