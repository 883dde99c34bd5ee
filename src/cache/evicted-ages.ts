/** How old entries were when they had to leave: their mean, and how many in each power of two of seconds. */
export class EvictedAges {
  count = 0
  sumSeconds = 0
  /** By the power of two: the first counts ages under 1 s, the next those under 2 s, then 4 s… */
  readonly buckets: number[] = Array.from({ length: 32 }, () => 0)

  add(seconds: number): void {
    this.count++
    this.sumSeconds += seconds
    const bucket = 32 - Math.clz32(seconds)
    this.buckets[bucket] = (this.buckets[bucket] ?? 0) + 1
  }

  /** In seconds; 0 where nothing has left yet. */
  get mean(): number {
    return this.count === 0 ? 0 : this.sumSeconds / this.count
  }
}
