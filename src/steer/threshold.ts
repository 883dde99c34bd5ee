/** Up or down by a row of signs: so many good ones in a row bring it up, so many bad ones take it down. The first sign of all decides alone. */
export class Threshold {
  readonly #rise: number
  readonly #fall: number
  #isUp: boolean | undefined
  /** Signs in a row that speak against what it is. */
  #against = 0

  constructor(rise: number, fall: number) {
    this.#rise = rise
    this.#fall = fall
  }

  /** One that stands where this one stands, and goes its own way from there. */
  copy(): Threshold {
    const copy = new Threshold(this.#rise, this.#fall)
    copy.#isUp = this.#isUp
    copy.#against = this.#against
    return copy
  }

  /** Undefined before the first sign. */
  get isUp(): boolean | undefined {
    return this.#isUp
  }

  /** True where that changed it. */
  note(isGood: boolean): boolean {
    if (this.#isUp === undefined) {
      this.#isUp = isGood
      return true
    }
    if (isGood === this.#isUp) {
      this.#against = 0
      return false
    }
    this.#against += 1
    if (this.#against < (isGood ? this.#rise : this.#fall)) return false
    this.#isUp = isGood
    this.#against = 0
    return true
  }
}
