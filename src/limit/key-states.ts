/**
 * The states of keys in this process, at most `keysMax` of them.
 *
 * Where a new key needs room, a hand goes round: a key that has all its allowance is forgotten, which nobody notices; one that was asked
 * for since the hand came by stays; any other makes room, and its state is remembered in cells that keys share
 * (`evicted-states.ts`). So neither memory nor a limit can be run over with many keys; a key that came back is refused too early at
 * worst.
 */
import { createHash } from 'node:crypto'
import type { Algorithm } from './algorithms/algorithm.ts'
import { EvictedStates } from './evicted-states.ts'

/** Longer keys are kept as what is hashed of them: keys may come from outside, 64 KiB each. */
const KEY_LENGTH_MAX = 256
/** So many keys the hand looks at before it takes the one it is at. */
const STEPS_MAX = 64
/** Words of one array of states. */
const BLOCK_WORDS = 16_384

interface Block {
  readonly states: Float64Array
  /** 1 where the key was asked for since the hand came by. */
  readonly visited: Uint8Array
}

export class KeyStates {
  /** Where the state is that `find` found. */
  state: Float64Array = new Float64Array(0)
  at = 0
  readonly #algorithm: Algorithm
  readonly #keysMax: number
  /** A block has 2^`#shift` keys. */
  readonly #shift: number
  readonly #mask: number
  readonly #words: number
  readonly #blocks: Block[] = []
  readonly #slots = new Map<string, number>()
  /** Keys by slot. */
  readonly #keys: string[] = []
  readonly #evicted: EvictedStates
  #hand = 0

  constructor(algorithm: Algorithm, keysMax: number) {
    this.#algorithm = algorithm
    this.#keysMax = keysMax
    this.#words = algorithm.words
    this.#shift = Math.floor(Math.log2(Math.max(1, BLOCK_WORDS / algorithm.words)))
    this.#mask = 2 ** this.#shift - 1
    this.#evicted = new EvictedStates(algorithm)
  }

  get size(): number {
    return this.#keys.length
  }

  /** Finds the state of a key, or makes it room: it is in `state` from `at` on, until the next question. */
  find(key: string, now: number): void {
    const name = key.length <= KEY_LENGTH_MAX ? key : shortened(key)
    const known = this.#slots.get(name)
    if (known !== undefined) {
      this.#moveTo(known).visited[known & this.#mask] = 1
      return
    }
    this.#moveTo(this.#room(name, now))
    this.#evicted.restore(name, this.state, this.at, now)
  }

  /** A slot for a new key, its state all zero. */
  #room(name: string, now: number): number {
    let slot = this.#keys.length
    if (slot < this.#keysMax) {
      if (slot >>> this.#shift === this.#blocks.length) this.#addBlock()
    } else {
      slot = this.#evict(now)
      this.state.fill(0, this.at, this.at + this.#algorithm.words)
    }
    this.#keys[slot] = name
    this.#slots.set(name, slot)
    return slot
  }

  #evict(now: number): number {
    for (let step = 0; ; step += 1) {
      const slot = this.#hand
      this.#hand = (slot + 1) % this.#keysMax
      const { visited } = this.#moveTo(slot)
      const isIdle = this.#algorithm.isIdle(this.state, this.at, now)
      const wasVisited = visited[slot & this.#mask] === 1
      visited[slot & this.#mask] = 0
      if (wasVisited && !isIdle && step < STEPS_MAX) continue
      const key = this.#keys[slot]!
      if (!isIdle) this.#evicted.put(key, this.state, this.at, now)
      this.#slots.delete(key)
      return slot
    }
  }

  #moveTo(slot: number): Block {
    const block = this.#blocks[slot >>> this.#shift]!
    this.state = block.states
    this.at = (slot & this.#mask) * this.#words
    return block
  }

  #addBlock(): void {
    const keys = this.#mask + 1
    const states = new Float64Array(keys * this.#algorithm.words)
    this.#blocks.push({ states, visited: new Uint8Array(keys) })
  }
}

/** Longer than any key that is kept as it is, so that none can be taken for it. */
const shortened = (key: string): string =>
  `${'#'.repeat(KEY_LENGTH_MAX)}${createHash('sha256').update(key, 'utf16le').digest('base64')}`
