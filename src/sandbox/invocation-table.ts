/**
 * Invocations under way, by id.
 *
 * An id is a place in an array with a count of its uses above it, so that what comes late, or is made up, for one that is
 * done does not meet the next one in its place. A Map would do, but the tables that it outgrows keep what they held
 * alive until the next full collection: measured, two fifths of the worker's time went into collecting garbage.
 */
import type { Invocation } from './invocation.ts'
import type { LaneSlot } from './lane.ts'

const PLACE_BITS = 20
const PLACE_MASK = (1 << PLACE_BITS) - 1
/** Ids end at 2^31-1. */
const USES_MASK = (1 << (31 - PLACE_BITS)) - 1

export class InvocationTable {
  /** An id for the next use where the place is free. */
  readonly #places: (Invocation | number)[] = []
  readonly #free: number[] = []
  size = 0

  /** Reserves a place; `set` fills it. */
  nextId(): number {
    const place = this.#free.pop()
    if (place !== undefined) return this.#places[place] as number
    // The count of uses starts at one: no id is 0.
    const id = (1 << PLACE_BITS) | this.#places.length
    this.#places.push(id)
    return id
  }

  set(invocation: Invocation): void {
    this.#places[invocation.id & PLACE_MASK] = invocation
    this.size++
  }

  get(id: number): Invocation | undefined {
    const found = this.#places[id & PLACE_MASK]
    return typeof found === 'object' && found.id === id ? found : undefined
  }

  /** The one with this id, where it is there. */
  at(slot: LaneSlot, id: number): Invocation | undefined {
    const invocation = this.get(id)
    return invocation?.where === slot ? invocation : undefined
  }

  delete({ id }: Invocation): void {
    const place = id & PLACE_MASK
    const uses = ((id >>> PLACE_BITS) + 1) & USES_MASK
    this.#places[place] = ((uses === 0 ? 1 : uses) << PLACE_BITS) | place
    this.#free.push(place)
    this.size--
  }

  /** All of them, in the order in which they came. */
  all(): Invocation[] {
    const found = this.#places.filter((place) => typeof place === 'object')
    return found.toSorted((a, b) => a.order - b.order)
  }
}
