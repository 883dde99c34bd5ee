/** Which streams a client has used (RFC 9113 §5.1.1): its numbers are odd and rise, and those it left out are closed. */

/** Streams that we reset, whose last frames may still be under way: as many as `edge.limits.streams` may allow at once. */
const RESET_KEPT = 1000
/** Gaps between numbers. Honest clients leave none. */
const GAPS_KEPT = 16

export class StreamNumbers {
  /** The highest that was used. */
  last = 0
  private readonly wereReset = new Set<number>()
  private readonly gaps: { readonly from: number; readonly to: number }[] = []

  /** Never used, and no other of ours: we push nothing. */
  isIdle(id: number): boolean {
    return id > this.last || id % 2 === 0
  }

  use(id: number): void {
    if (id > this.last + 2) {
      this.gaps.push({ from: this.last, to: id })
      if (this.gaps.length > GAPS_KEPT) this.gaps.shift()
    }
    this.last = id
  }

  wasLeftOut(id: number): boolean {
    return this.gaps.some(({ from, to }) => from < id && id < to)
  }

  /** We reset it: what the client has sent before it knew is nobody's fault. */
  onReset(id: number): void {
    this.wereReset.add(id)
    if (this.wereReset.size > RESET_KEPT) this.wereReset.delete(this.wereReset.values().next().value!)
  }

  wasReset(id: number): boolean {
    return this.wereReset.has(id)
  }
}
