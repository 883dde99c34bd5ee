/** Chance that can be repeated: the same seed makes the same messages. */
export interface Random {
  /** A whole number from 0 to below `bound`. */
  below(bound: number): number
  chance(share: number): boolean
  pick<T>(choices: readonly T[]): T
  /** Text of that many characters out of `alphabet`. */
  text(length: number, alphabet: string): string
}

/** Mulberry32: 32 bits of state are plenty for making messages. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
  const below = (bound: number): number => Math.floor(next() * bound)
  return {
    below,
    chance: (share) => next() < share,
    pick: (choices) => choices[below(choices.length)]!,
    text: (length, alphabet) => {
      let text = ''
      for (let i = 0; i < length; i++) text += alphabet[below(alphabet.length)]
      return text
    },
  }
}
