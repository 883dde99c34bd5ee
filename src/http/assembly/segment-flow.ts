/** The body of an answer that is put together of parts: segment after segment, as far as the client takes it. */
import type { HeaderList } from '../../wire/http1/message.ts'
import type { StoredBody } from '../caching/stored-body.ts'
import type { Range } from '../ranges/byte-ranges.ts'
import type { Segment } from '../ranges/multipart.ts'
import type { ClientOutlet } from './client-outlet.ts'
import type { PartFetch } from './part-fetch.ts'
import type { StoredPart } from './part-sources.ts'

/** A part that is coming from the origin. */
export interface ComingPart {
  readonly kind: 'coming'
  readonly fetch: PartFetch
  /** Where in the object it lies. */
  readonly range: Range
}

export interface SegmentSupply {
  /** The part that begins at `at`. Undefined: it is being sought, and `flow` is to be called once it is found. */
  take(at: number, end: number): StoredPart | ComingPart | undefined
  /** Of what was coming, all that is wanted has come. */
  onPassed(fetch: PartFetch): void
  /** What is being sent lies in a file that is not what it was: no more of it is to go out. */
  onBroken(): void
  /** The body is out. */
  onWhole(trailers: HeaderList): void
}

/** What is at hand leaves in pieces of this size. */
const PIECE_BYTES = 128 * 1024

export class SegmentFlow {
  private readonly outlet: ClientOutlet
  private readonly supply: SegmentSupply
  private segments: readonly Segment[] = []
  private segment = 0
  /** The next byte of the object, in a segment that is a range. */
  private at = 0
  /** What is being sent from the store. */
  private piece: { readonly body: StoredBody; at: number; readonly end: number } | undefined
  /** What is passed on as it comes. */
  private passing: PartFetch | undefined
  /** All that comes goes out: it is no part. */
  private all: PartFetch | undefined
  private isOpen = false
  private isStalled = false
  private isFlowing = false
  private isOver = false

  constructor(outlet: ClientOutlet, supply: SegmentSupply) {
    this.outlet = outlet
    this.supply = supply
  }

  /** What the body consists of. It goes out once the client may have it (`open`). */
  begin(segments: readonly Segment[]): void {
    this.segments = segments
    this.enterSegment()
  }

  open(): void {
    this.isOpen = true
    if (this.all === undefined) this.flow()
    else this.openAll(this.all)
  }

  /** The client takes no more for now. */
  get isHeldUp(): boolean {
    return this.isStalled
  }

  /** Whether the range that goes out now goes on at this byte. */
  wants(at: number): boolean {
    const segment = this.segments[this.segment]
    return typeof segment === 'object' && at >= segment.start && at < segment.end
  }

  /** The client takes more. */
  onRoom(): void {
    this.isStalled = false
    if (this.passing !== undefined) this.passing.onRoom()
    else this.flow()
  }

  close(): void {
    this.isOver = true
    this.passing = undefined
    this.letGo()
  }

  private enterSegment(): void {
    const segment = this.segments[this.segment]
    if (typeof segment !== 'object') return
    this.at = segment.start
    // An empty object has one range, without a byte.
    if (segment.start === segment.end) this.nextSegment()
  }

  private nextSegment(): void {
    this.segment += 1
    this.enterSegment()
  }

  readonly flow = (): void => {
    if (this.isFlowing || !this.isOpen) return
    this.isFlowing = true
    while (!this.isStalled && !this.isOver && this.passing === undefined) {
      const segment = this.segments[this.segment]
      if (segment === undefined) {
        this.supply.onWhole([])
      } else if (typeof segment === 'string') {
        this.nextSegment()
        this.isStalled = !this.outlet.write(Buffer.from(segment, 'latin1'))
      } else if (this.piece !== undefined) {
        this.sendPiece(segment)
      } else if (!this.take(segment)) {
        break
      }
    }
    this.isFlowing = false
  }

  private take({ end }: Range): boolean {
    const { at } = this
    const part = this.supply.take(at, end)
    if (part === undefined) return false
    if (part.kind === 'coming') {
      this.passOn(part)
    } else {
      const { body, bodyAt } = part
      body.hold()
      this.piece = { body, at: bodyAt, end: bodyAt + part.end - at }
    }
    return true
  }

  private sendPiece(segment: Range): void {
    const piece = this.piece!
    const bytes = piece.body.readIfWhole(piece.at, Math.min(piece.end, piece.at + PIECE_BYTES))
    if (bytes === undefined) return this.supply.onBroken()
    piece.at += bytes.length
    this.at += bytes.length
    if (piece.at === piece.end) this.letGo()
    if (this.at === segment.end) this.nextSegment()
    this.isStalled = !this.outlet.give(bytes)
  }

  private letGo(): void {
    this.piece?.body.release()
    this.piece = undefined
  }

  /** What comes goes to the client, as far as it is wanted. */
  private passOn({ fetch, range }: ComingPart): void {
    this.passing = fetch
    let place = range.start
    fetch.open({
      write: (chunk) => {
        if (this.passing !== fetch) return true
        const segment = this.segments[this.segment] as Range
        const from = Math.max(0, this.at - place)
        const to = Math.min(chunk.length, segment.end - place)
        place += chunk.length
        if (from >= to) return true
        this.at += to - from
        this.isStalled = !this.outlet.write(chunk.subarray(from, to))
        if (this.at === segment.end || this.at === range.end) this.passed(fetch, segment)
        return !this.isStalled
      },
      end: () => {},
    })
  }

  private passed(fetch: PartFetch, segment: Range): void {
    if (this.isOver) return
    if (this.at === segment.end) this.nextSegment()
    this.passing = undefined
    this.supply.onPassed(fetch)
    if (!this.isStalled) setImmediate(this.flow)
  }

  /** The answer is none of parts after all: what comes goes to the client, all of it. */
  passAll(fetch: PartFetch): void {
    this.all = this.passing = fetch
    if (this.isOpen) this.openAll(fetch)
  }

  private openAll(fetch: PartFetch): void {
    fetch.open({
      write: (chunk) => {
        if (this.isOver) return true
        this.isStalled = !this.outlet.write(chunk)
        return !this.isStalled
      },
      end: (trailers) => {
        if (!this.isOver) this.supply.onWhole(trailers)
      },
    })
  }
}
