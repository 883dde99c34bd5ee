/**
 * The body of an answer that goes on after its head, on its way to whoever reads it.
 *
 *     origin → decoder → held → sink
 *
 * It goes at the pace of the sink: what is held is bounded, and then the socket is not read. A body that a unit reads counts for the
 * budget of its invocation; one that goes to a client does not, since nobody holds it.
 */
import type { Transform } from 'node:stream'
import type { HostBody, HostBodySink } from '../../contract/host-calls.ts'
import type { OriginCall } from '../../contract/origin.ts'
import { decoderOf } from '../../http/body/codings.ts'
import { badCoding } from './decoding.ts'

/** Bytes that wait for their reader before the socket is not read any more; and of one piece. */
export const HELD_MAX = 64 * 1024
const NOTHING = Buffer.alloc(0)

export interface AnswerBodyOptions {
  readonly call: OriginCall
  /** What it is encoded with, and is to be undone. */
  readonly coding: string | undefined
  /** Counts bytes that a unit is given. Throws where they are too many. */
  count(bytes: number): void
  /** As the unit gets it thrown. */
  describe(error: unknown): Parameters<HostBodySink['fail']>[0]
}

export class AnswerBody implements HostBody {
  readonly #options: AnswerBodyOptions
  readonly #decoder: Transform | undefined
  #hasBytes = false
  #held: Buffer[] = []
  #heldBytes = 0
  #isCallPaused = false
  /** All that there is has come. */
  #isWhole = false
  #error: unknown
  #sink: HostBodySink | undefined
  #isCounted = false
  #hasRoom = false
  #isTelling = false
  /** The sink is told nothing more. */
  #isOver = false
  /** Nothing of it comes any more. */
  #isLeft = false
  #onLeft: (() => void) | undefined

  constructor(options: AnswerBodyOptions) {
    this.#options = options
    const { coding } = options
    if (coding === undefined) return
    const decoder = decoderOf(coding)!.stream()
    this.#decoder = decoder
    decoder.on('data', (piece: Buffer) => this.#hold(piece))
    decoder.on('drain', () => this.#resumeCall())
    decoder.on('end', () => this.#complete())
    decoder.on('error', (error) => this.#breakOff(badCoding(coding, error)))
  }

  /** Called once, when its connection is not used any more: now, where that is so. */
  whenLeft(callback: () => void): void {
    if (this.#isLeft) callback()
    else this.#onLeft = callback
  }

  // ── told by the origin ──────────────────────────────────────────────────────────────────────────────────────

  /** The piece is the body's to keep. False: no more, until it resumes the call. */
  push(piece: Buffer): boolean {
    if (this.#isOver) return true
    this.#hasBytes = true
    if (this.#decoder) {
      this.#isCallPaused = !this.#decoder.write(piece)
    } else {
      this.#hold(piece)
      this.#isCallPaused = this.#heldBytes >= HELD_MAX
    }
    return !this.#isCallPaused
  }

  end(): void {
    this.#leave()
    if (this.#decoder && this.#hasBytes) this.#decoder.end()
    else this.#complete()
  }

  fail(error: unknown): void {
    this.#leave()
    this.#breakOff(error)
  }

  // ── told by the reader ──────────────────────────────────────────────────────────────────────────────────────

  start(sink: HostBodySink, isCounted: boolean): void {
    this.#sink = sink
    this.#isCounted = isCounted
    this.resume()
  }

  resume(): void {
    this.#hasRoom = true
    this.#tell()
  }

  cancel(): void {
    this.#isOver = true
    this.#discard()
    this.#abort()
  }

  #discard(): void {
    this.#held = []
    this.#heldBytes = 0
    this.#decoder?.destroy()
  }

  #hold(piece: Buffer): void {
    if (this.#isOver) return
    this.#held.push(piece)
    this.#heldBytes += piece.length
    this.#tell()
    if (this.#heldBytes >= HELD_MAX) this.#decoder?.pause()
  }

  #complete(): void {
    this.#isWhole = true
    this.#tell()
  }

  /** What came before is told first. */
  #breakOff(error: unknown): void {
    if (this.#isOver || this.#error !== undefined) return
    this.#error = error
    this.#abort()
    this.#tell()
  }

  #tell(): void {
    const sink = this.#sink
    // A sink that is being told something may resume it, cancel it or both.
    if (!sink || this.#isTelling) return
    this.#isTelling = true
    while (this.#hasRoom && !this.#isOver && this.#heldBytes > 0) this.#give(sink, this.#next())
    if (this.#hasRoom && !this.#isOver && this.#heldBytes === 0) {
      if (this.#error !== undefined) {
        this.#isOver = true
        this.#decoder?.destroy()
        sink.fail(this.#options.describe(this.#error))
      } else if (this.#isWhole) {
        this.#give(sink, NOTHING)
      }
    }
    this.#isTelling = false
    if (this.#heldBytes < HELD_MAX) this.#makeRoom()
  }

  #give(sink: HostBodySink, piece: Buffer): void {
    // The end counts for nothing, whatever the budget has become: it is told in any case.
    if (this.#isCounted && piece.length > 0 && !this.#count(piece.length)) return
    const isLast = this.#isWhole && this.#heldBytes === 0
    if (isLast) this.#isOver = true
    this.#hasRoom = false
    if (sink.take(piece, isLast)) this.#hasRoom = true
  }

  #count(bytes: number): boolean {
    try {
      this.#options.count(bytes)
      return true
    } catch (error) {
      this.#discard()
      this.#breakOff(error)
      return false
    }
  }

  /** Small ones go together. */
  #next(): Buffer {
    const first = this.#held[0]!
    const held = this.#held.length > 1 && first.length < HELD_MAX ? Buffer.concat(this.#held) : first
    const piece = held.subarray(0, HELD_MAX)
    const left = held.subarray(HELD_MAX)
    if (held === first) this.#held.shift()
    else this.#held = []
    if (left.length > 0) this.#held.unshift(left)
    this.#heldBytes -= piece.length
    return piece
  }

  #makeRoom(): void {
    if (!this.#decoder) this.#resumeCall()
    else if (this.#decoder.isPaused()) this.#decoder.resume()
  }

  #resumeCall(): void {
    if (!this.#isCallPaused || this.#isLeft) return
    this.#isCallPaused = false
    this.#options.call.resume()
  }

  #abort(): void {
    if (this.#isLeft) return
    // Not from within its own callback: the call may still be telling a piece.
    setImmediate(() => this.#options.call.abort())
    this.#leave()
  }

  #leave(): void {
    if (this.#isLeft) return
    this.#isLeft = true
    this.#onLeft?.()
  }
}
