/**
 * Answers by name and variant, so many of each kind. Who leaves where it is full is the policy's word: S3-FIFO, as what is asked for once should not
 * push out what is asked for again and again (names by chance below somebody's zone are the usual attack).
 */
import { createPolicy } from '../../../cache/index.ts'
import type { ReplacementPolicy } from '../../../contract/replacement-policy.ts'
import type { KeptAnswer } from './kept-answer.ts'

/** Answers of one name with different types and flags: a search goes through them one by one. */
const VARIANTS_MAX = 32

/** Successes apart from the rest, so that a flood of names that do not exist leaves those that do. */
export type StoreName = 'success' | 'denial'

interface Room {
  readonly capacity: number
  readonly policy: ReplacementPolicy<KeptAnswer>
  weight: number
  count: number
}

export class AnswerStore {
  readonly #first = new Map<string, KeptAnswer>()
  readonly #rooms: Readonly<Record<StoreName, Room>>
  /** What a use means to the policy. */
  readonly #usesMax: number
  readonly #onEvict: (store: StoreName) => void

  constructor(
    capacities: Readonly<Record<StoreName, number>>,
    random: () => number,
    onEvict: (store: StoreName) => void,
  ) {
    const room = (capacity: number): Room => ({
      capacity,
      policy: createPolicy('s3-fifo', { capacity, random }),
      weight: 0,
      count: 0,
    })
    this.#rooms = { success: room(capacities.success), denial: room(capacities.denial) }
    this.#usesMax = this.#rooms.success.policy.usesMax ?? 0
    this.#onEvict = onEvict
  }

  /** And notes that it was used. */
  get(name: string, variant: number): KeptAnswer | undefined {
    const answer = this.peek(name, variant)
    if (answer !== undefined && (answer.mark & this.#usesMax) < this.#usesMax) answer.mark += 1
    return answer
  }

  peek(name: string, variant: number): KeptAnswer | undefined {
    let answer = this.#first.get(name)
    while (answer !== undefined && answer.variant !== variant) answer = answer.sibling
    return answer
  }

  /** In the place of what was there under the same name and variant. */
  set(answer: KeptAnswer): void {
    const { name, variant, weight } = answer
    const store = storeOf(answer)
    const room = this.#rooms[store]
    const before = this.peek(name, variant)
    if (before) this.#remove(before, false)
    // One answer that takes half of the room would push out too many others.
    if (weight > Math.max(1, room.capacity / 2)) return
    room.policy.onArrive?.(answer)
    while (room.weight + weight > room.capacity) {
      const victim = room.policy.victim(answer)
      if (!victim) return
      this.#remove(victim, true)
      this.#onEvict(store)
    }
    this.#boundVariants(name)
    answer.sibling = this.#first.get(name)
    this.#first.set(name, answer)
    room.policy.onStore(answer)
    room.weight += weight
    room.count += 1
  }

  count(store: StoreName): number {
    return this.#rooms[store].count
  }

  /** The last in the row is the oldest. */
  #boundVariants(name: string): void {
    let count = 0
    let last: KeptAnswer | undefined
    for (let answer = this.#first.get(name); answer !== undefined; answer = answer.sibling) {
      count += 1
      last = answer
    }
    if (count >= VARIANTS_MAX) this.#remove(last!, false)
  }

  #remove(answer: KeptAnswer, isEvicted: boolean): void {
    const { name } = answer
    const first = this.#first.get(name)!
    if (first !== answer) {
      let before = first
      while (before.sibling !== answer) before = before.sibling!
      before.sibling = answer.sibling
    } else if (answer.sibling) this.#first.set(name, answer.sibling)
    else this.#first.delete(name)
    answer.sibling = undefined
    const room = this.#rooms[storeOf(answer)]
    room.policy.onRemove(answer, isEvicted)
    room.weight -= answer.weight
    room.count -= 1
  }
}

export const storeOf = ({ holding }: KeptAnswer): StoreName =>
  holding.kind === 'success' ? 'success' : 'denial'
