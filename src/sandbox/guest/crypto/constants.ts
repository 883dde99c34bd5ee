/**
 * The constants of SHA-2: the first 64 bits of the fractional parts of roots of the first primes (FIPS 180-4 §4.2, §5.3).
 *
 * Computed in whole numbers when first used, instead of 200 magic numbers in the source: the test vectors hold them to
 * account. SHA-256 uses the upper halves of what SHA-512 uses.
 */

const SCALE = 64n

/** Words in turn: upper half, lower half. */
function halves(values: readonly bigint[]): Uint32Array {
  const words = new Uint32Array(2 * values.length)
  for (let i = 0; i < values.length; i++) {
    words[2 * i] = Number((values[i]! >> 32n) & 0xffffffffn)
    words[2 * i + 1] = Number(values[i]! & 0xffffffffn)
  }
  return words
}

function firstPrimes(count: number): number[] {
  const primes: number[] = []
  for (let n = 2; primes.length < count; n++) {
    let isPrime = true
    for (let i = 0; i < primes.length && isPrime; i++) isPrime = n % primes[i]! !== 0
    if (isPrime) primes[primes.length] = n
  }
  return primes
}

/** The largest x with x^degree ≤ prime · 2^(64·degree), by Newton's method from above. */
function root(prime: number, degree: bigint): bigint {
  const target = BigInt(prime) << (SCALE * degree)
  let x = BigInt(prime) << SCALE
  for (;;) {
    const next = ((degree - 1n) * x + target / x ** (degree - 1n)) / degree
    if (next >= x) return x
    x = next
  }
}

function roots(from: number, to: number, degree: bigint): Uint32Array {
  const primes = firstPrimes(to)
  const values: bigint[] = []
  for (let i = from; i < to; i++) values[values.length] = root(primes[i]!, degree)
  return halves(values)
}

let cubeRoots: Uint32Array | undefined

/** K of SHA-512: cube roots of the first 80 primes. */
export const sha512Constants = (): Uint32Array => (cubeRoots ??= roots(0, 80, 3n))

/** The initial state of SHA-512 (square roots of the first 8 primes) and of SHA-384 (of the next 8). */
export const sha512Initial = (): Uint32Array => roots(0, 8, 2n)
export const sha384Initial = (): Uint32Array => roots(8, 16, 2n)

/** Every other word: the upper halves. */
export function upperHalves(words: Uint32Array, count: number): Uint32Array {
  const upper = new Uint32Array(count)
  for (let i = 0; i < count; i++) upper[i] = words[2 * i]!
  return upper
}
