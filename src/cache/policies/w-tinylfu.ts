/**
 * W-TinyLFU: a small window, least recently used, a hundredth of the room; what falls out of it is let into the main
 * part only if it was seen more often lately than what would have to leave there. The main part has two lists: what was
 * used there is protected, the rest is on probation.
 *
 * The best of all where what is wanted stays wanted; slow to follow where it changes quickly. Every hit counts in a sketch
 * and moves an entry. Einziger, Friedman, Manes, "TinyLFU: A Highly Efficient Cache Admission Policy", 2017.
 */
import type { PolicyEntry, PolicyOptions, ReplacementPolicy } from '../../contract/replacement-policy.ts'
import { FrequencySketch } from '../frequency-sketch.ts'
import { hashOf } from '../key-hash.ts'
import { EntryList } from './entry-list.ts'

const WINDOW_SHARE = 0.01
/** Of the main part. */
const PROTECTED_SHARE = 0.8

/** A candidate that was seen more often than this comes in now and then even if it lost: who knows how to make sketches lie cannot keep it out for ever. */
const LUCKY_FROM = 6
const LUCKY_SHARE = 1 / 128

const IN_WINDOW = 0
const ON_PROBATION = 1
const PROTECTED = 2

export class WTinyLfu<E extends PolicyEntry<E>> implements ReplacementPolicy<E> {
  readonly #window = new EntryList<E>()
  readonly #probation = new EntryList<E>()
  readonly #protected = new EntryList<E>()
  readonly #sketch = new FrequencySketch()
  readonly #windowMax: number
  readonly #protectedMax: number
  readonly #random: () => number
  #size = 0

  constructor(options: PolicyOptions) {
    this.#windowMax = Math.max(1, Math.floor(options.capacity * WINDOW_SHARE))
    this.#protectedMax = Math.floor((options.capacity - this.#windowMax) * PROTECTED_SHARE)
    this.#random = options.random
  }

  onArrive(entry: E): void {
    this.#sketch.add(hashOf(entry))
  }

  onStore(entry: E): void {
    entry.mark = IN_WINDOW
    this.#window.add(entry)
    this.#sketch.fit(++this.#size)
    this.#emptyWindow()
  }

  onUse(entry: E): void {
    this.#sketch.add(hashOf(entry))
    if (entry.mark === IN_WINDOW) this.#window.renew(entry)
    else if (entry.mark === PROTECTED) this.#protected.renew(entry)
    else {
      this.#move(entry, this.#probation, this.#protected, PROTECTED)
      this.#emptyProtected()
    }
  }

  onRemove(entry: E): void {
    this.#size--
    this.#listOf(entry).remove(entry)
  }

  onReweigh(entry: E, weightBefore: number): void {
    this.#listOf(entry).weight += entry.weight - weightBefore
    this.#emptyWindow()
    this.#emptyProtected()
  }

  victim(incoming: E | undefined): E | undefined {
    const window = this.#window
    const victim = this.#probation.oldest ?? this.#protected.oldest
    if (victim === undefined) return window.oldest
    // What the incoming entry pushes out of the window has to be wanted more than what it would push out.
    const isPushed = window.weight + (incoming?.weight ?? 0) > this.#windowMax
    const candidate = isPushed ? window.oldest : undefined
    return candidate === undefined || this.#wins(candidate, victim) ? victim : candidate
  }

  #wins(candidate: E, victim: E): boolean {
    const seen = this.#sketch.estimate(hashOf(candidate))
    if (seen > this.#sketch.estimate(hashOf(victim))) return true
    return seen >= LUCKY_FROM && this.#random() < LUCKY_SHARE
  }

  #emptyWindow(): void {
    const window = this.#window
    while (
      window.weight > this.#windowMax &&
      window.oldest !== undefined &&
      window.oldest !== window.newest
    ) {
      this.#move(window.oldest, window, this.#probation, ON_PROBATION)
    }
  }

  #emptyProtected(): void {
    const list = this.#protected
    while (list.weight > this.#protectedMax && list.oldest !== undefined) {
      this.#move(list.oldest, list, this.#probation, ON_PROBATION)
    }
  }

  #move(entry: E, from: EntryList<E>, to: EntryList<E>, mark: number): void {
    from.remove(entry)
    entry.mark = mark
    to.add(entry)
  }

  #listOf(entry: E): EntryList<E> {
    if (entry.mark === IN_WINDOW) return this.#window
    return entry.mark === PROTECTED ? this.#protected : this.#probation
  }
}
