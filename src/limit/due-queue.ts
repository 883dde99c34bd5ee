/** Items that wait for their moment: the earliest leaves first, and of those with the same the one that came first. A binary heap. */
interface Waiting<Item> {
  dueMs: number
  /** Its number among all that came. */
  readonly order: number
  readonly item: Item
}

export class DueQueue<Item> {
  readonly #heap: Waiting<Item>[] = []
  #count = 0

  get size(): number {
    return this.#heap.length
  }

  /** When the first is due; `Infinity` where none waits. */
  get nextMs(): number {
    return this.#heap[0]?.dueMs ?? Infinity
  }

  push(item: Item, dueMs: number): void {
    const heap = this.#heap
    const added = { dueMs, order: this.#count, item }
    this.#count += 1
    let place = heap.length
    for (; place > 0; place = (place - 1) >> 1) {
      const above = heap[(place - 1) >> 1]!
      if (isBefore(above, added)) break
      heap[place] = above
    }
    heap[place] = added
  }

  /** @throws where none waits: who asks has looked. */
  shift(): Item {
    const heap = this.#heap
    const first = heap[0]!
    const last = heap.pop()!
    if (heap.length === 0) return first.item
    let place = 0
    for (;;) {
      let below = 2 * place + 1
      if (below + 1 < heap.length && isBefore(heap[below + 1]!, heap[below]!)) below += 1
      if (below >= heap.length || isBefore(last, heap[below]!)) break
      heap[place] = heap[below]!
      place = below
    }
    heap[place] = last
    return first.item
  }

  /** Makes all due so much earlier. Their order stays. */
  advance(byMs: number): void {
    for (const waiting of this.#heap) waiting.dueMs -= byMs
  }
}

const isBefore = (a: Waiting<unknown>, b: Waiting<unknown>): boolean =>
  a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.order < b.order)
