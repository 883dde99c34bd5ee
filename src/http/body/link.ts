/**
 * A link of the chain that a body passes on its way from its source to the connection: a unit's filter, a coding.
 *
 *     source → link → link → connection
 *
 * Pieces go down, the wish for more goes up. Each link holds what it was given until the next one takes more, and then
 * asks for no more itself: so a slow client pauses the filter, and the filter the origin, or who reads for it what the cache has
 * gathered (`client-pace.ts`). A link holds a piece or two, whatever the
 * size of the body.
 */
import type { HeaderList } from '../../wire/http1/message.ts'

/** Where pieces go. */
export interface BodyTarget {
  /**
   * The piece is the target's to keep, and nobody changes it. `isLast` says that no other follows, where that is known; `end`
   * comes in any case. False: no more until `resume`; what comes all the same is kept.
   */
  write(piece: Buffer, isLast: boolean): boolean
  /** The same for one piece that is in several parts. */
  writeParts(parts: readonly Buffer[], isLast: boolean): boolean
  end(trailers: HeaderList): void
  /** Nothing is under way: what was held for company (the head of the answer) may go. */
  flush(): void
}

/** Where pieces come from. Not called from within `write` and `end`. */
export interface BodySource {
  /** More is wanted. */
  resume(): void
}

export abstract class BodyLink implements BodyTarget, BodySource {
  protected next!: BodyTarget
  protected source!: BodySource

  /** Called once, before anything else. */
  join(source: BodySource, next: BodyTarget): void {
    this.source = source
    this.next = next
  }

  abstract write(piece: Buffer, isLast: boolean): boolean

  writeParts(parts: readonly Buffer[], isLast: boolean): boolean {
    return this.write(parts.length === 1 ? parts[0]! : Buffer.concat(parts), isLast)
  }

  abstract end(trailers: HeaderList): void
  abstract flush(): void
  /** The next one can take more. */
  abstract resume(): void
  /** Nobody wants the body any more. */
  abstract close(): void
}
