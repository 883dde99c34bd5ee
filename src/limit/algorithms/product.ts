/** ⌊a·b / c⌋ of whole numbers, exact also where the product is larger than a float64 holds. */

const HALF = 2 ** 15

/**
 * For a below 2^30, and b and c up to 2^32, with a quotient below 2^53.
 *
 * A quotient of two whole numbers below 2^53 is never rounded up to the next whole number, so that `Math.floor` of it is exact; a larger product
 * is divided in two halves, as on paper.
 */
export function productOver(a: number, b: number, c: number): number {
  const product = a * b
  if (product <= Number.MAX_SAFE_INTEGER) return Math.floor(product / c)
  const high = Math.floor(a / HALF)
  const highQuotient = Math.floor((high * b) / c)
  const carried = high * b - highQuotient * c
  return highQuotient * HALF + Math.floor((carried * HALF + (a - high * HALF) * b) / c)
}
