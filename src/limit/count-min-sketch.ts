/**
 * Counts how often keys came, in constant memory, however many there are: never too little, and sometimes too much.
 *
 * A Count-Min sketch is `depth` rows of `width` cells; a key has one cell in each row, by a hash with a seed of its own, and its count is the
 * least of them. With updates that are conservative, as here, only cells that stand below the new count are raised: that makes what is too much
 * a good deal less. By Cormode and Muthukrishnan, a count is too high by more than ε × (all that was added) with a probability of
 * δ at most, where `width` is e/ε and `depth` ln(1/δ), both rounded up.
 *
 * "An Improved Data Stream Summary: The Count-Min Sketch and its Applications", 2005; conservative update: Estan and Varghese, 2002.
 */
import { randomBytes } from 'node:crypto'
import { told, whole } from './algorithms/plan.ts'
import { KeyedHash, mixed } from './keyed-hash.ts'
import { checkKnown } from './limiter-options.ts'

export type CellBits = 8 | 16 | 32

export interface CountMinSketchSize {
  /** Cells of a row, 1 to 16,777,216. */
  readonly width: number
  /** Rows, 1 to 32. */
  readonly depth: number
  /** Bits of a cell: 8 count to 255, 16 to 65,535, 32 (where nothing is said) to 4,294,967,295. There they stay. */
  readonly cellBits?: CellBits
}

export interface CountMinSketchError {
  /** How much too high a count may be, as a share of all that was added: above 0, below 1. */
  readonly epsilon: number
  /** With what probability it may be more than that: above 0, below 1. */
  readonly delta: number
  readonly cellBits?: CellBits
}

const WIDTH_MAX = 2 ** 24
const DEPTH_MAX = 32

export class CountMinSketch {
  readonly width: number
  readonly depth: number
  /** The largest count. */
  readonly countMax: number
  readonly #cells: Uint8Array | Uint16Array | Uint32Array
  readonly #places: Int32Array
  /** Two a row. They are secret, so that nobody can choose keys that share cells. */
  #seeds: Int32Array
  #hash: KeyedHash

  /**
   * `new CountMinSketch(10, 10)`, `new CountMinSketch({ width: 10, depth: 10 })`, or `new CountMinSketch({ epsilon: 0.001, delta: 0.01 })`.
   * @throws TypeError or RangeError that names what is not known, or out of its range.
   */
  constructor(size: number | CountMinSketchSize | CountMinSketchError, depth?: number) {
    const given = typeof size === 'number' ? { width: size, depth: depth! } : size
    if (typeof given !== 'object' || given === null)
      throw new RangeError(
        `expected a width and a depth, { width, depth } or { epsilon, delta }, not ${told(size)}`,
      )
    checkKnown('a CountMinSketch', given, ['width', 'depth', 'cellBits', 'epsilon', 'delta'])
    const isSized = 'epsilon' in given || 'delta' in given
    if (isSized && ('width' in given || 'depth' in given))
      throw new TypeError('expected either { width, depth } or { epsilon, delta }, not both')
    const fitting = isSized ? sizeFor(given as CountMinSketchError) : (given as CountMinSketchSize)
    const { cellBits = 32 } = given
    whole('width', fitting.width, 1, WIDTH_MAX)
    whole('depth', fitting.depth, 1, DEPTH_MAX)
    if (![8, 16, 32].includes(cellBits))
      throw new RangeError(`cellBits: expected 8, 16 or 32, not ${told(cellBits)}`)
    this.width = fitting.width
    this.depth = fitting.depth
    this.countMax = 2 ** cellBits - 1
    const cells = this.width * this.depth
    if (cellBits === 8) this.#cells = new Uint8Array(cells)
    else if (cellBits === 16) this.#cells = new Uint16Array(cells)
    else this.#cells = new Uint32Array(cells)
    this.#places = new Int32Array(this.depth)
    this.#seeds = seedsFor(this.depth)
    this.#hash = secretHash()
  }

  /** Counts `key` as `n` (a whole number from 0, 1 where none is given) more. Returns its count from now on. @throws RangeError */
  add(key: string, n = 1): number {
    whole('n', n, 0, Number.MAX_SAFE_INTEGER)
    const count = Math.min(this.get(key) + n, this.countMax)
    for (const place of this.#places) if (this.#cells[place]! < count) this.#cells[place] = count
    return count
  }

  /** How often `key` came: that, or more. @throws TypeError where it is no string. */
  get(key: string): number {
    if (typeof key !== 'string') throw new TypeError(`key: expected a string, not ${told(key)}`)
    const hash = this.#hash
    hash.ofText(key, 0)
    const { high, low } = hash
    let least = this.countMax
    for (let row = 0; row < this.depth; row++) {
      const bits = mixed(Math.imul(low, this.#seeds[2 * row]! | 1) + (high ^ this.#seeds[2 * row + 1]!))
      const place = row * this.width + Math.floor(((bits >>> 0) / 2 ** 32) * this.width)
      this.#places[row] = place
      least = Math.min(least, this.#cells[place]!)
    }
    return least
  }

  /** Forgets all keys, and takes new seeds. */
  clear(): void {
    this.#cells.fill(0)
    this.#seeds = seedsFor(this.depth)
    this.#hash = secretHash()
  }
}

function sizeFor({ epsilon, delta }: CountMinSketchError): { width: number; depth: number } {
  for (const [name, share] of Object.entries({ epsilon, delta }))
    if (!(typeof share === 'number' && share > 0 && share < 1))
      throw new RangeError(`${name}: expected a number between 0 and 1, not ${told(share)}`)
  const width = Math.ceil(Math.E / epsilon)
  const depth = Math.max(1, Math.ceil(Math.log(1 / delta)))
  for (const [name, cells, most] of [
    ['epsilon', width, WIDTH_MAX],
    ['delta', depth, DEPTH_MAX],
  ] as const)
    if (cells > most)
      throw new RangeError(
        `${name}: so small a share takes ${cells} ${name === 'epsilon' ? 'cells a row' : 'rows'}, at most ${most} can be; expected ${name === 'epsilon' ? '1.7e-7' : '1.3e-14'} or more`,
      )
  return { width, depth }
}

const seedsFor = (depth: number): Int32Array => crypto.getRandomValues(new Int32Array(2 * depth))

function secretHash(): KeyedHash {
  const key = randomBytes(8)
  return new KeyedHash(key.readInt32LE(0), key.readInt32LE(4))
}
