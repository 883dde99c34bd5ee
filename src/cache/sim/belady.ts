/**
 * Belady's MIN: whoever is asked for again the latest leaves first. It sees the future, so no cache can be like it; by
 * entries no policy is better, which makes it the bound that the others are held against.
 *
 * MIN takes every object in, as a cache without admission does. With `bypass` an object that is asked for later than all
 * that are in is not taken in, which is the bound for caches that may refuse. By bytes neither is a bound to the last
 * hit: to choose best among objects of different sizes is as hard as packing a knapsack. L. A. Belady, "A Study of
 * Replacement Algorithms for a Virtual-Storage Computer", IBM Systems Journal 5 (2), 1966.
 */
import type { Trace } from './trace.ts'

/** For each request the position of the next one for the same object; the number of requests where there is none. */
export function nextUses({ requests, sizes }: Trace): Uint32Array {
  const next = new Uint32Array(requests.length)
  const upcoming = new Uint32Array(sizes.length).fill(requests.length)
  for (let at = requests.length - 1; at >= 0; at -= 1) {
    const object = requests[at]!
    next[at] = upcoming[object]!
    upcoming[object] = at
  }
  return next
}

export interface BeladyHits {
  readonly hits: number
  readonly hitBytes: number
}

/**
 * What MIN hits with room for `capacity`, measured in `weights` of objects: ones count entries.
 * `next` comes from `nextUses`, and is the same for all capacities.
 */
export function belady(
  { requests, sizes }: Trace,
  next: Uint32Array,
  { capacity, weights, bypass }: { capacity: number; weights: Float64Array; bypass: boolean },
): BeladyHits {
  const never = requests.length
  // When each object in the cache is asked for again; 0 for those that are not in it: no next use is at position 0.
  const due = new Uint32Array(sizes.length)
  const latest = new LatestFirst()
  // Those never asked for again leave first, in any order, and need no place in the heap.
  const done: number[] = []
  let used = 0
  let hits = 0
  let hitBytes = 0

  /** Who is asked for the latest, -1 where the cache is empty. Stays in the heap. */
  const farthest = (): number => {
    if (done.length > 0) return done.at(-1)!
    // What was asked for since stands in the heap under its old position, too.
    for (let at = latest.peek(); at !== -1; at = latest.peek()) {
      const object = requests[at]!
      if (due[object] === at) return object
      latest.pop()
    }
    return -1
  }
  const evict = (object: number): void => {
    if (due[object] === never) done.pop()
    else latest.pop()
    due[object] = 0
    used -= weights[object]!
  }
  const expect = (object: number, at: number): void => {
    due[object] = at
    if (at === never) done.push(object)
    else latest.push(at)
  }

  for (let i = 0; i < requests.length; i += 1) {
    const object = requests[i]!
    if (due[object] !== 0) {
      hits += 1
      hitBytes += sizes[object]!
      expect(object, next[i]!)
      continue
    }
    const weight = weights[object]!
    if (weight > capacity) continue
    if (bypass && next[i] === never) continue
    let isTaken = true
    while (used + weight > capacity) {
      const victim = farthest()
      if (bypass && due[victim]! <= next[i]!) {
        isTaken = false
        break
      }
      evict(victim)
    }
    if (!isTaken) continue
    used += weight
    expect(object, next[i]!)
  }
  return { hits, hitBytes }
}

/** Positions, the latest on top: a binary heap. */
class LatestFirst {
  #heap = new Uint32Array(1024)
  #size = 0

  /** -1 where there is none. */
  peek(): number {
    return this.#size === 0 ? -1 : this.#heap[0]!
  }

  push(at: number): void {
    if (this.#size === this.#heap.length) {
      const longer = new Uint32Array(this.#heap.length * 2)
      longer.set(this.#heap)
      this.#heap = longer
    }
    const heap = this.#heap
    let hole = this.#size
    this.#size += 1
    while (hole > 0) {
      const parent = (hole - 1) >> 1
      if (heap[parent]! >= at) break
      heap[hole] = heap[parent]!
      hole = parent
    }
    heap[hole] = at
  }

  pop(): void {
    const heap = this.#heap
    this.#size -= 1
    const size = this.#size
    const at = heap[size]!
    let hole = 0
    for (;;) {
      let child = hole * 2 + 1
      if (child >= size) break
      if (child + 1 < size && heap[child + 1]! > heap[child]!) child += 1
      if (heap[child]! <= at) break
      heap[hole] = heap[child]!
      hole = child
    }
    heap[hole] = at
  }
}
