/**
 * What workers and the keeper say to each other over their socket: frames of a length and a value as V8 serialises it. Both are one
 * program, and the socket lies where nobody else may look.
 */
import { deserialize, serialize } from 'node:v8'

/** To the keeper; many in one frame. The first is the kind, the second the tier. */
export type ToKeeper =
  /** A body is being written: so many bytes, as far as is known. */
  | readonly ['open', tier: string, file: number, bytes: number]
  /** It was given up, and its file removed. */
  | readonly ['close', tier: string, file: number]
  | readonly ['put', tier: string, id: number, put: PutRow]
  /** With all keys that begin with it and a space or a line break. */
  | readonly ['remove', tier: string, id: number, key: string, atMs: number]
  /** The object of this key is not what it was. */
  | readonly ['drop', tier: string, key: string]
  | readonly ['used', tier: string, seqs: readonly number[]]
  /** The disk did not take a body. */
  | readonly ['failed', tier: string, why: string]
  /** The index of this generation cannot be read. */
  | readonly ['broken', tier: string, generation: number, why: string]

export interface PutRow {
  readonly key: string
  readonly meta: Uint8Array
  readonly size: number
  /** 0: the body is here. */
  readonly file: number
  /** The file lies there already: only where it still does is this stored. */
  readonly isRenewal: boolean
  readonly sums: Uint8Array
  readonly body: Uint8Array
  readonly tags: readonly string[]
  readonly purgeNumber: number
  readonly begunMs: number
  readonly sum: number
}

export type FromKeeper =
  | { readonly kind: 'tiers'; readonly tiers: readonly OpenTier[] }
  /** These ids are done; those among them that are in `refused` were refused. Tiers commit each by itself, so they come in any order. */
  | { readonly kind: 'done'; readonly done: readonly number[]; readonly refused: readonly number[] }

/** A tier that may be used. A new generation has a new index. */
export interface OpenTier {
  readonly name: string
  readonly folder: string
  readonly generation: number
}

export function frameOf(value: readonly ToKeeper[] | FromKeeper): Buffer {
  const body = serialize(value)
  const frame = Buffer.allocUnsafe(4 + body.length)
  frame.writeUInt32LE(body.length, 0)
  body.copy(frame, 4)
  return frame
}

/** Frames out of what arrives. */
export class FrameReader<T> {
  #parts: Buffer[] = []
  #bytes = 0
  readonly #onValue: (value: T) => void

  constructor(onValue: (value: T) => void) {
    this.#onValue = onValue
  }

  push(chunk: Buffer): void {
    this.#parts.push(chunk)
    this.#bytes += chunk.length
    while (this.#bytes >= 4) {
      const head = this.#parts[0]!.length >= 4 ? this.#parts[0]! : this.#join()
      const length = head.readUInt32LE(0)
      if (this.#bytes < 4 + length) return
      const whole = this.#join()
      const rest = whole.subarray(4 + length)
      this.#parts = rest.length === 0 ? [] : [rest]
      this.#bytes = rest.length
      this.#onValue(deserialize(whole.subarray(4, 4 + length)) as T)
    }
  }

  #join(): Buffer {
    if (this.#parts.length > 1) this.#parts = [Buffer.concat(this.#parts, this.#bytes)]
    return this.#parts[0]!
  }
}
