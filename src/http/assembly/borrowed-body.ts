/** A body that another worker of the node sends: it is in the cache of this one as it comes, and read from there at the pace of the client. */
import type { EdgeError } from '../../base/errors.ts'
import type { Arrival, ArrivalReader } from '../caching/arrival.ts'

const PIECE_BYTES = 64 * 1024

export interface BodyEvents {
  /** Valid until this returns. False: no more until `resume`. */
  onData(piece: Buffer): boolean
  onEnd(): void
  onBroken(error: EdgeError | undefined): void
}

export class BorrowedBody {
  private readonly events: BodyEvents
  private readonly reader: ArrivalReader
  private isWhole = false
  private isPaused = false
  private isPumping = false
  /** It was told to go on while it gave a piece. */
  private hasResumed = false
  private isOver = false

  constructor(arrival: Arrival, events: BodyEvents) {
    this.events = events
    this.reader = arrival.follow({
      onMore: () => this.pump(),
      onEnd: () => {
        this.isWhole = true
        this.pump()
      },
      onBroken: (error) => {
        if (this.isOver) return
        this.close()
        events.onBroken(error)
      },
    })
  }

  /** Gives what there is, as far as it is taken. */
  readonly pump = (): void => {
    if (this.isPumping || this.isPaused || this.isOver) return
    this.isPumping = true
    // Giving may end in `close`: then there is no more.
    while (!this.isPaused && this.reader.left > 0) {
      this.hasResumed = false
      const piece = this.reader.read(PIECE_BYTES)
      if (piece === undefined) {
        this.close()
        return this.events.onBroken(undefined)
      }
      const takesMore = this.events.onData(piece)
      this.isPaused = !takesMore && !this.hasResumed
    }
    this.isPumping = false
    if (this.isOver || !this.isWhole || this.reader.left > 0) return
    this.close()
    this.events.onEnd()
  }

  resume(): void {
    this.isPaused = false
    this.hasResumed = true
    // Whoever takes much has room again at once: the others have their turn between two pieces.
    if (this.reader.left > 0) setImmediate(this.pump)
    else this.pump()
  }

  /** Nothing more is told. */
  close(): void {
    this.isOver = true
    this.reader.close()
  }
}
