/**
 * The cells of a Count-Min sketch that slides: two generations that are read, and a third one that is being cleared meanwhile.
 *
 *     ┌──────────┬──────────┬──────────┐   at each turn, every `lengthMs`:
 *     │ previous │ current  │ clearing │   current → previous, cleared → current, previous → to be cleared
 *     └──────────┴──────────┴──────────┘
 *
 * A key has one cell in each row of a generation; the least of them is nearest to the truth and never below it. Updates are conservative:
 * cells are only raised to what the key's own estimate says, and those that stand higher, for other keys, stay. Cells end at their largest
 * value. Where a key's cells lie is decided by seeds that are drawn anew for each generation, by a keyed hash of its number: all processes know them
 * without telling each other, nobody outside does, and two keys that share cells in one generation do not in the next.
 *
 * All of it lies in memory that several processes share. A turn is made under a lock by whoever comes first; cells are cleared in slices by
 * those who ask. Cormode and Muthukrishnan, "An Improved Data Stream Summary: The Count-Min Sketch and its Applications", 2005; conservative
 * update: Estan and Varghese, "New Directions in Traffic Measurement and Accounting", 2002.
 */
import { KeyedHash } from './keyed-hash.ts'
import { acquire, beginWrite, isFree, release } from './shared-lock.ts'

export interface SketchShape {
  /** Cells of a row: a power of two, two at least. */
  readonly width: number
  /** Rows. */
  readonly depth: number
  readonly cellBits: 8 | 16 | 32
}

/** Words before the cells. */
const HEADER = 16
const LOCK = 0
/** Turns so far, and in the lowest bits what the generation before the current one is. */
const TURNS = 1
/** Words of the third generation that are cleared. */
const CLEARED = 2
/** Float64, at word 4: the start of the current generation, plus one; 0 before the first turn. */
const START = 4
/** Float64, at word 6: how long a generation is. */
const LENGTH = 6
/** The first generation finds one before it in which every key is full. */
const STARTS_FULL = 8
const GENERATIONS = 3

const BEFORE_BITS = 2
const NOTHING = 0
const CELLS = 1
const FULL = 2

/** So many words are cleared at once: a microsecond or two. */
const SLICE_WORDS = 4096
/** A clock that is further behind the current generation was set. */
const STEP_BACK_MS = 10_000
/** Rows at most: estimates of several keys are held at once, each with so many places. */
export const DEPTH_MAX = 8
/** Keys whose places are held at once. */
const SLOTS = 16

const generationWords = (shape: SketchShape): number =>
  Math.ceil((shape.width * shape.depth * shape.cellBits) / 32 / 16) * 16

export const sketchWords = (shape: SketchShape): number => HEADER + GENERATIONS * generationWords(shape)

/** Writes what the words begin with; they are zero otherwise. */
export function laySketch(words: Int32Array, at: number, lengthMs: number, startsFull: boolean): void {
  const floats = new Float64Array(words.buffer, words.byteOffset, words.length >> 1)
  floats[(at + LENGTH) >> 1] = lengthMs
  words[at + STARTS_FULL] = startsFull ? 1 : 0
}

export interface SketchMeans {
  /** What seeds are drawn from. */
  readonly secret: readonly [number, number]
  /** Tells this sketch from others with the same secret. */
  readonly number: number
  /** From 1: this process, beside others with the same sketch. */
  readonly owner: number
  /** Each row is cut into so many blocks (a power of two): who holds the lock of one may write its cells without asking. */
  readonly blocks?: number
}

type Cells = Uint8Array | Uint16Array | Uint32Array

export class SketchGenerations {
  /** The largest value of a cell. */
  readonly cellMax: number
  /** The start of the current generation, and how long it is. */
  start = 0
  readonly lengthMs: number
  readonly #words: Int32Array
  readonly #at: number
  readonly #floats: Float64Array
  readonly #cells: Cells
  /** Cells in a word, and cells before the first one of generation 0. */
  readonly #firstCell: number
  readonly #generationCells: number
  readonly #generationWords: number
  readonly #width: number
  readonly #depth: number
  /** Cells of a row in a block, and what leaves as many bits as to pick one of them. */
  readonly #blockCells: number
  readonly #shift: number
  readonly #owner: number
  readonly #random: KeyedHash
  readonly #number: number
  #turns = -1
  #before = NOTHING
  /** Of the rows of the current generation, and behind them those of the one before: two seeds a row, and its first cell. */
  readonly #seeds = new Int32Array(4 * DEPTH_MAX)
  readonly #starts = new Int32Array(2 * DEPTH_MAX)
  /** Of each slot, the cells of the current generation, and behind them those of the one before. */
  readonly #places = new Int32Array(SLOTS * 2 * DEPTH_MAX)
  readonly #values = new Uint32Array(SLOTS * 2 * DEPTH_MAX)

  constructor(
    words: Int32Array,
    at: number,
    shape: SketchShape,
    { secret, number, owner, blocks = 1 }: SketchMeans,
  ) {
    this.#words = words
    this.#at = at
    this.#floats = new Float64Array(words.buffer, words.byteOffset, words.length >> 1)
    this.lengthMs = this.#floats[(at + LENGTH) >> 1]!
    this.cellMax = 2 ** shape.cellBits - 1
    const { buffer, byteOffset, byteLength } = words
    if (shape.cellBits === 8) this.#cells = new Uint8Array(buffer, byteOffset, byteLength)
    else if (shape.cellBits === 16) this.#cells = new Uint16Array(buffer, byteOffset, byteLength >> 1)
    else this.#cells = new Uint32Array(buffer, byteOffset, byteLength >> 2)
    const cellsOfWord = 32 / shape.cellBits
    this.#firstCell = (at + HEADER) * cellsOfWord
    this.#generationWords = generationWords(shape)
    this.#generationCells = this.#generationWords * cellsOfWord
    this.#width = shape.width
    this.#depth = shape.depth
    this.#blockCells = shape.width / blocks
    this.#shift = Math.clz32(this.#blockCells - 1)
    this.#owner = owner
    this.#random = new KeyedHash(secret[0], secret[1])
    this.#number = number
  }

  /** Moves on to `now`: to be called before anything else is asked. */
  moveTo(now: number): void {
    const turns = this.#words[this.#at + TURNS]!
    if (turns !== this.#turns) this.#follow(turns)
    const elapsed = now - this.start
    if (turns === 0 || elapsed >= this.lengthMs || elapsed < -STEP_BACK_MS) this.#turn(now)
    else if (this.#words[this.#at + CLEARED]! < this.#generationWords) this.#clearSlice()
  }

  /**
   * Reads the cells of the keys in the slots from `first` to before `end`: `hashes` holds 64 bits of a keyed hash for each slot, and all cells lie in one block.
   * Places are found before any cell is read, and nothing is decided by what is read: so the processor waits for all of them at the same time, instead of
   * for one after the other.
   */
  read(hashes: Int32Array, first: number, end: number, block = 0): void {
    const places = this.#places
    const seeds = this.#seeds
    const starts = this.#starts
    const shift = this.#shift
    const ahead = block * this.#blockCells
    const rows = 2 * this.#depth
    const used = this.#before === CELLS ? rows : this.#depth
    for (let slot = first; slot < end; slot++) {
      const high = hashes[slot << 1]!
      const low = hashes[(slot << 1) + 1]!
      const from = slot * rows
      for (let row = 0; row < used; row++) {
        // Multiply-shift (Dietzfelbinger et al., 1997): two keys meet in a row with a probability of two cells of it at most.
        const bits = Math.imul(low, seeds[row << 1]!) + Math.imul(high, seeds[(row << 1) + 1]!)
        places[from + row] = starts[row]! + ahead + (bits >>> shift)
      }
    }
    const cells = this.#cells
    const values = this.#values
    const to = end * rows
    for (let i = first * rows; i < to; i++) values[i] = cells[places[i]!]!
  }

  /** The estimate of the key in `slot` in the current generation. */
  current(slot: number): number {
    return this.#least(slot * 2 * this.#depth)
  }

  /** The same in the generation before; `full` where the key has used up all it has. */
  previous(slot: number, full: number): number {
    if (this.#before !== CELLS) return this.#before === FULL ? full : 0
    return this.#least((slot * 2 + 1) * this.#depth)
  }

  #least(from: number): number {
    const values = this.#values
    const end = from + this.#depth
    let least = values[from]!
    for (let i = from + 1; i < end; i++) if (values[i]! < least) least = values[i]!
    return least
  }

  /** Raises the cells of the key in `slot` to `value`, those that are below it: by whoever alone may write them, under the lock of their block. */
  write(slot: number, value: number): void {
    const cells = this.#cells
    const target = value < this.cellMax ? value : this.cellMax
    const places = this.#places
    const values = this.#values
    const from = slot * 2 * this.#depth
    const end = from + this.#depth
    for (let i = from; i < end; i++) if (values[i]! < target) cells[places[i]!] = target
  }

  /** The same, beside others who write the same cells. */
  raise(slot: number, value: number): void {
    const cells = this.#cells
    const target = value < this.cellMax ? value : this.cellMax
    const from = slot * 2 * this.#depth
    const end = from + this.#depth
    for (let i = from; i < end; i++) {
      const place = this.#places[i]!
      let cell = cells[place]!
      while (cell < target) {
        const seen = Atomics.compareExchange(cells, place, cell, target)
        if (seen === cell) break
        cell = seen
      }
    }
  }

  /** Takes over what others have turned to. */
  #follow(turns: number): void {
    // The start was written before the number was: with this number, it is this one or a later one.
    this.start = this.#floats[(this.#at + START) >> 1]! - 1
    this.#turns = turns
    this.#before = turns & ((1 << BEFORE_BITS) - 1)
    const generation = turns >>> BEFORE_BITS
    this.#lookAt(generation, 0)
    this.#lookAt(generation - 1, this.#depth)
  }

  /** From now on, the rows from `row` on are those of this generation. */
  #lookAt(generation: number, row: number): void {
    const words = [this.#number, generation, 0, 0] as [number, number, number, number]
    const first = this.#firstCell + ((generation + GENERATIONS) % GENERATIONS) * this.#generationCells
    for (let i = 0; i < this.#depth; i++) {
      words[2] = i
      this.#random.ofPrefix(words, 0, 96, 0)
      this.#seeds[2 * (row + i)] = this.#random.high | 1
      this.#seeds[2 * (row + i) + 1] = this.#random.low | 1
      this.#starts[row + i] = first + i * this.#width
    }
  }

  #turn(now: number): void {
    const words = this.#words
    const at = this.#at
    const held = acquire(words, at + LOCK, this.#owner)
    const writing = beginWrite(words, at + LOCK, held, 0)
    if (writing === 0) return this.#turn(now)
    const turns = words[at + TURNS]!
    const passed = now - (this.#floats[(at + START) >> 1]! - 1)
    const isFirst = turns === 0
    const start = now - (now % this.lengthMs) + 1
    if (isFirst || passed >= this.lengthMs) {
      const generation = (turns >>> BEFORE_BITS) + 1
      if (!this.#clear(generation, this.#generationWords, writing)) return this.#turn(now)
      let before = NOTHING
      if (isFirst) before = words[at + STARTS_FULL] === 1 ? FULL : NOTHING
      else if (passed < 2 * this.lengthMs) before = CELLS
      this.#floats[(at + START) >> 1] = start
      Atomics.store(words, at + TURNS, (generation << BEFORE_BITS) | before)
      Atomics.store(words, at + CLEARED, 0)
    } else if (passed < -STEP_BACK_MS) {
      // The clock was set: what was counted goes on from there.
      this.#floats[(at + START) >> 1] = start
    }
    release(words, at + LOCK, writing)
    this.#follow(Atomics.load(words, at + TURNS))
  }

  /** Others clear, too: who does not get to it at once lets them. */
  #clearSlice(): void {
    const words = this.#words
    const at = this.#at + LOCK
    if (!isFree(words, at)) return
    const writing = beginWrite(words, at, acquire(words, at, this.#owner), 0)
    if (writing === 0) return
    if (words[this.#at + TURNS] === this.#turns)
      this.#clear((this.#turns >>> BEFORE_BITS) + 1, words[this.#at + CLEARED]! + SLICE_WORDS, writing)
    release(words, at, writing)
  }

  /**
   * Clears the words of a generation up to `end`, from where the last slice ended. False: the lock was lost (this process stood still for long), and
   * somebody else goes on. It is looked at before each slice, so that at most one is cleared that was counted in again.
   */
  #clear(generation: number, end: number, writing: number): boolean {
    const words = this.#words
    const first = this.#at + HEADER + (generation % GENERATIONS) * this.#generationWords
    const last = Math.min(end, this.#generationWords)
    for (let from = words[this.#at + CLEARED]!; from < last; from += SLICE_WORDS) {
      if (words[this.#at + LOCK] !== writing) return false
      const to = Math.min(from + SLICE_WORDS, last)
      words.fill(0, first + from, first + to)
      words[this.#at + CLEARED] = to
    }
    return true
  }
}
