/** How often something happened within the last while, which moves on by a tenth of its length. */

const SLOTS = 10

export class RecentCount {
  /** As of the last call of `add` or `turn`. */
  sum = 0
  private readonly slots = new Float64Array(SLOTS)
  private readonly slotMs: number
  /** The stretch of time that `slot` counts. */
  private stretch = 0
  private slot = 0

  constructor(windowMs: number) {
    this.slotMs = windowMs / SLOTS
  }

  add(nowMs: number): void {
    this.turn(nowMs)
    this.slots[this.slot]! += 1
    this.sum += 1
  }

  /** Forgets what is too long ago. */
  turn(nowMs: number): void {
    const stretch = Math.floor(nowMs / this.slotMs)
    if (stretch === this.stretch) return
    const passed = Math.min(SLOTS, stretch - this.stretch)
    this.stretch = stretch
    for (let i = 0; i < passed; i += 1) {
      this.slot = (this.slot + 1) % SLOTS
      this.sum -= this.slots[this.slot]!
      this.slots[this.slot] = 0
    }
  }

  clear(): void {
    this.slots.fill(0)
    this.sum = 0
  }
}
