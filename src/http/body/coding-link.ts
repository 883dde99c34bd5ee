/**
 * A coding as a link: a stream of `node:zlib` that compresses, or takes apart what came compressed for the filters behind it.
 *
 * One piece is in it at a time. Where the length of the body is not known, each piece leaves at once: who sends little by little means
 * it to arrive.
 */
import type { HeaderList } from '../../wire/http1/message.ts'
import type { BodyChain } from './chain.ts'
import type { CodingStream } from './codings.ts'
import { BodyLink } from './link.ts'

export class CodingLink extends BodyLink {
  /** Set by whoever makes the chain. */
  chain!: BodyChain
  private readonly stream: CodingStream
  /** How `flush` is told to let go; undefined where pieces need not leave at once. */
  private readonly flushKind: number | undefined
  private isBusy = false
  private isFull = false
  private hasEnded = false
  private isClosed = false
  private trailers: HeaderList = []

  constructor(stream: CodingStream, flushKind: number | undefined) {
    super()
    this.stream = stream
    this.flushKind = flushKind
    stream.on('data', (piece: Buffer) => {
      if (this.isClosed || this.next.write(piece, false)) return
      this.isFull = true
      stream.pause()
    })
    stream.on('end', () => {
      if (!this.isClosed) this.next.end(this.trailers)
    })
    stream.on('error', (error) => {
      if (!this.isClosed) this.chain.failBody(`the body's coding is broken: ${error.message}`)
    })
  }

  write(piece: Buffer, isLast: boolean): boolean {
    this.isBusy = true
    this.stream.write(piece, () => {
      if (this.flushKind === undefined || isLast || this.isClosed || this.hasEnded) this.onWritten()
      else this.stream.flush(this.flushKind, () => this.onWritten())
    })
    return false
  }

  private onWritten(): void {
    this.isBusy = false
    this.askForMore()
  }

  private askForMore(): void {
    if (!this.isClosed && !this.hasEnded && !this.isBusy && !this.isFull) this.source.resume()
  }

  end(trailers: HeaderList): void {
    this.hasEnded = true
    this.trailers = trailers
    this.stream.end()
  }

  flush(): void {
    if (!this.isBusy) this.next.flush()
  }

  resume(): void {
    if (this.isClosed) return
    this.isFull = false
    this.stream.resume()
    this.askForMore()
  }

  close(): void {
    this.isClosed = true
    this.stream.destroy()
  }
}
