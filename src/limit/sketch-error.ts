/**
 * How often a sketch refuses whom it should not: with `offenders` keys over their limit at once, a key that nobody has used meets one of them in a row
 * with probability 1 − e^(−offenders / width), and is refused where that happens in all rows.
 *
 * Keys below their limit add less than that: this is the part which no larger limit takes away (Cormode and Muthukrishnan 2005, for one value in place of sums).
 */
export const wrongRefusals = (
  { width, depth }: { readonly width: number; readonly depth: number },
  offenders: number,
): number => (1 - Math.exp(-offenders / width)) ** depth
