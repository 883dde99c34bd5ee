/**
 * 2,800 digits of π by the spigot of Rabinowitz and Wagon, a hundred times, with a sleep after each: work for `orla cputime`.
 *
 *     orla cputime -- node examples/cputime/pi.ts [ROUNDS] [SLEEP_MS]
 *
 * The sleeps are seconds of wall time and next to no CPU time. `pi.c` is the same in C.
 */
const [rounds = 100, sleepMs = 20] = process.argv.slice(2).map(Number)

const DIGITS = 2800
const BASE = 10_000
const CELLS = (DIGITS / 4) * 14

function pi(): string {
  const cells = new Int32Array(CELLS + 1).fill(BASE / 5)
  let carry = 0
  let digits = ''
  for (let left = CELLS; left > 0; left -= 14) {
    let sum = 0
    for (let i = left; ;) {
      sum += cells[i]! * BASE
      const divisor = 2 * i - 1
      cells[i] = sum % divisor
      sum = Math.floor(sum / divisor)
      i -= 1
      if (i === 0) break
      sum *= i
    }
    digits += String(carry + Math.floor(sum / BASE)).padStart(4, '0')
    carry = sum % BASE
  }
  return digits
}

let digits = ''
for (let round = 0; round < rounds; round += 1) {
  digits = pi()
  await new Promise((resolve) => setTimeout(resolve, sleepMs))
}
console.log(digits)
