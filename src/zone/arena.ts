/**
 * Bytes of a zone, one piece behind the other in chunks that never move: what lies in there costs its length and nothing more, and nothing that the
 * garbage collector looks at. A place is a number of 32 bits: the chunk, and where in it.
 */

/** How many bits of a place say where in a chunk. */
export const CHUNK_BITS = 20
export const CHUNK_MASK = (1 << CHUNK_BITS) - 1
const CHUNK_BYTES = 1 << CHUNK_BITS
/** The first ones are small: most zones are. */
const FIRST_CHUNK_BYTES = 2048
const CHUNKS_MAX = 1 << (32 - CHUNK_BITS)

export class Arena {
  readonly chunks: Uint8Array<ArrayBuffer>[] = []
  #chunk = new Uint8Array(0)
  #used = 0
  #base = 0
  #nextBytes = FIRST_CHUNK_BYTES

  /** Room for `bytes` in one piece, at most 2^16 + 2: `chunk` and `at` say where. Returns the place. */
  take(bytes: number): number {
    if (this.#used + bytes > this.#chunk.length) this.#grow(bytes)
    const place = (this.#base + this.#used) >>> 0
    this.#used += bytes
    return place
  }

  /** The chunk of what was taken last. */
  get chunk(): Uint8Array {
    return this.#chunk
  }

  #grow(bytes: number): void {
    if (this.chunks.length === CHUNKS_MAX) throw new RangeError('a zone has more than 4 GiB of data')
    this.#chunk = new Uint8Array(Math.max(bytes, this.#nextBytes))
    this.#base = this.chunks.length * CHUNK_BYTES
    this.#used = 0
    this.#nextBytes = Math.min(this.#nextBytes * 2, CHUNK_BYTES)
    this.chunks.push(this.#chunk)
  }
}
