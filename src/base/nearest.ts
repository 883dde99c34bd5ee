/**
 * The word somebody meant: the known one that is fewest slips of the finger away, or none where all are far.
 *
 * A slip is a letter added, dropped, changed, or swapped with its neighbour (the restricted Damerau-Levenshtein distance).
 */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const typed = word.toLowerCase()
  let best: string | undefined
  // A third of the letters may be wrong; more, and the guess would be a riddle of its own.
  let bestSlips = Math.max(1, Math.floor(word.length / 3)) + 1
  for (const candidate of known) {
    const slips = distance(typed, candidate.toLowerCase())
    if (slips < bestSlips) [best, bestSlips] = [candidate, slips]
  }
  return best
}

/** Three rows of the table are enough: a swap looks two rows back, everything else one. */
function distance(a: string, b: string): number {
  let before: number[] = []
  let above = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1
      let slips = Math.min(above[j]! + 1, row[j - 1]! + 1, above[j - 1]! + same)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        slips = Math.min(slips, before[j - 2]! + 1)
      }
      row[j] = slips
    }
    ;[before, above] = [above, row]
  }
  return above[b.length]!
}
