/**
 * The body of an answer from the origin on its way to the client that asked, at that client's pace.
 *
 * Mostly that is the origin's pace as well: it is paused while the client takes no more. But where others can wait for the answer,
 * a client that does not read would hold up all of them. There the cache gathers what comes as fast as it comes, and a client
 * that falls behind is sent from what was gathered (`BodyTrail`), also after the cache has all of it. Where the cache refuses
 * the answer in the middle, the origin waits until the client has caught up, and goes at its pace from there.
 */
import type { HeaderList } from '../wire/http1/message.ts'
import type { CacheJob } from './cache-job.ts'
import type { BodyTrail } from './caching/body-gathering.ts'

/** What the client is behind leaves in pieces of this size. */
const PIECE_BYTES = 64 * 1024

/** Where the body goes. */
export interface PaceOutlet {
  /** Copies what it keeps. False: no more until `onRoom`; what comes all the same is taken. */
  write(chunk: Buffer): boolean
  end(trailers: HeaderList): void
}

/** What it needs of the cache's part in the answer. */
export type PaceJob = Pick<CacheJob, 'follow' | 'isFilling'>

export class ClientPace {
  private readonly job: PaceJob | undefined
  private readonly resumeOrigin: () => void
  private readonly onBroken: () => void
  /** Undefined until the head may leave. */
  private outlet: PaceOutlet | undefined
  /** What came before that, or after the cache refused it. The origin is paused: these are few. */
  private waiting: Buffer[] = []
  /** Set while the client is behind. */
  private trail: BodyTrail | undefined
  private ended: HeaderList | undefined
  /** It is about to catch up, or at it. */
  private isCatchingUp = false
  private isClosed = false

  /** `onBroken`: what the client is behind lies in a file that is not what it was, and nothing more goes to it. */
  constructor(job: PaceJob | undefined, resumeOrigin: () => void, onBroken: () => void) {
    this.job = job
    this.resumeOrigin = resumeOrigin
    this.onBroken = onBroken
  }

  /** Something else goes to the client before this: what comes meanwhile is gathered, where others may wait for it. To be called before it comes. */
  ahead(): void {
    this.fallBehind()
  }

  /** The head leaves: what has come follows it. */
  open(outlet: PaceOutlet): void {
    this.outlet = outlet
    if (this.trail !== undefined) return this.catchUp()
    const { waiting } = this
    this.waiting = []
    let takesMore = true
    for (const chunk of waiting) takesMore = outlet.write(chunk)
    if (this.isClosed) return
    if (this.ended !== undefined) this.finish(this.ended)
    else if (takesMore || this.fallBehind()) this.resumeOrigin()
  }

  /** A piece that the cache has been given. False: the origin is to pause. */
  write(chunk: Buffer): boolean {
    if (this.outlet !== undefined && this.trail === undefined)
      return this.outlet.write(chunk) || this.fallBehind()
    // It was gathered, and the client will come to it.
    if (this.trail !== undefined && this.job!.isFilling) return true
    this.waiting.push(Buffer.from(chunk))
    return false
  }

  /** The body is whole; for the client it ends once all of it is out. */
  end(trailers: HeaderList): void {
    if (this.outlet === undefined || this.hasMore) this.ended = trailers
    else this.finish(trailers)
  }

  /** The client takes more. */
  onRoom(): void {
    if (this.trail === undefined) {
      this.resumeOrigin()
    } else if (this.hasMore && !this.isCatchingUp) {
      this.isCatchingUp = true
      // A fast client has room again at once: the others have their turn between two pieces.
      setImmediate(this.catchUp)
    } else if (!this.isCatchingUp) {
      this.catchUp()
    }
  }

  /** The client gets no more. */
  close(): void {
    this.isClosed = true
    this.waiting = []
    this.leaveTrail()
  }

  /** False: there is nothing to fall back on, the origin has to wait. */
  private fallBehind(): boolean {
    if (this.isClosed) return true
    this.trail = this.job?.follow()
    return this.trail !== undefined
  }

  private readonly catchUp = (): void => {
    // A link may ask for more while it is being given some.
    this.isCatchingUp = true
    let takesMore = true
    // Writing may end in `close`: then there is no more.
    while (takesMore && this.hasMore) {
      const piece = this.next()
      if (piece === undefined) {
        this.close()
        return this.onBroken()
      }
      takesMore = this.outlet!.write(piece)
    }
    this.isCatchingUp = false
    if (this.isClosed || this.hasMore) return
    if (this.ended !== undefined) {
      this.finish(this.ended)
    } else if (takesMore || !this.job!.isFilling) {
      this.leaveTrail()
      if (takesMore) this.resumeOrigin()
    }
  }

  private get hasMore(): boolean {
    return this.waiting.length > 0 || (this.trail !== undefined && this.trail.left > 0)
  }

  /** What was gathered came before what waits. */
  private next(): Buffer | undefined {
    const { trail } = this
    return trail !== undefined && trail.left > 0 ? trail.read(PIECE_BYTES) : this.waiting.shift()!
  }

  private finish(trailers: HeaderList): void {
    this.leaveTrail()
    this.outlet!.end(trailers)
  }

  private leaveTrail(): void {
    this.trail?.close()
    this.trail = undefined
  }
}
