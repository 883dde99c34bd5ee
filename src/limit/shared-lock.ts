/**
 * A lock in one word that several processes see, for work of nanoseconds, whose owner may die, be stopped, or lose the CPU at any moment.
 *
 *     31      15  14     13  10 9     0
 *     ┌─────────┬───────┬──────┬───────┐
 *     │ turn    │ write │ part │ owner │    owner 0: free
 *     └─────────┴───────┴──────┴───────┘
 *
 * The work has two halves. First the owner reads and decides, and writes nothing: there the lock may be taken from it without harm, because
 * before the second half it swaps the word for one that says `write`, and that fails where the word is no longer the one it has set (`turn`
 * grows with every owner). Then it begins again. In the second half, a few stores, it is left alone for `WRITE_MS`: who takes over then
 * finds the mark, knows which part may be half written, and mends it. So nobody waits for an owner that does not come back, and what it leaves
 * behind is one part that is marked.
 */
import { yieldCpu } from '../base/yield-cpu.ts'

const OWNER = 0x3ff
const PART_SHIFT = 10
const PART = 0xf << PART_SHIFT
const WRITE = 1 << 14
const TURN = 1 << 15

/** Owners that have a number: 0 to this, less one. */
export const OWNERS_MAX = OWNER
/** Looks at the word before anybody else is let run. */
const SPINS = 200
/** How long an owner that has not begun to write is waited for: longer than the work takes, far shorter than a scheduler's turn. */
const READ_MS = 0.2
/** How long an owner that writes is waited for: it lost the CPU, and gets it again, or it is stopped or dead. */
const WRITE_MS = 20

/** Takes the lock for `owner` (from 1). Returns the word that stands for it; `isTorn` of it tells whether the owner before died in the middle of writing. */
export function acquire(words: Int32Array, at: number, owner: number): number {
  const seen = words[at]!
  if ((seen & OWNER) === 0) {
    const mine = nextOf(seen, owner)
    if (Atomics.compareExchange(words, at, seen, mine) === seen) return mine
  }
  return contend(words, at, owner)
}

export const isFree = (words: Int32Array, at: number): boolean => (words[at]! & OWNER) === 0

/** The mark of an owner that died while it wrote stays, until it is mended. */
const nextOf = (seen: number, owner: number): number => ((seen & ~OWNER) + TURN) | owner

export const isTorn = (held: number): boolean => (held & WRITE) !== 0
export const partOf = (held: number): number => (held & PART) >>> PART_SHIFT

/** Begins to write `part` (0 to 15). Returns the word that stands for it, or 0 where the lock was lost: nothing may be written. */
export function beginWrite(words: Int32Array, at: number, held: number, part: number): number {
  const writing = (held & ~PART) | WRITE | (part << PART_SHIFT)
  return Atomics.compareExchange(words, at, held, writing) === held ? writing : 0
}

/** Lets go, also of the mark. False: it was lost before. */
export function release(words: Int32Array, at: number, held: number): boolean {
  return Atomics.compareExchange(words, at, held, held & ~(OWNER | PART | WRITE)) === held
}

/** The owner is dead: what it holds is free, and what it was writing marked. */
export function releaseOf(words: Int32Array, at: number, owner: number): void {
  const seen = words[at]!
  if ((seen & OWNER) === owner) Atomics.compareExchange(words, at, seen, seen & ~OWNER)
}

function contend(words: Int32Array, at: number, owner: number): number {
  let watched = Atomics.load(words, at)
  let since = 0
  for (let spins = 0; ; spins++) {
    const seen = Atomics.load(words, at)
    if (seen !== watched) {
      watched = seen
      since = 0
    }
    const isOver = (seen & OWNER) === 0 || (since > 0 && performance.now() - since > patience(seen))
    if (isOver) {
      const mine = nextOf(seen, owner)
      if (Atomics.compareExchange(words, at, seen, mine) === seen) return mine
    } else if (spins > SPINS) {
      if (since === 0) since = performance.now()
      yieldCpu()
    }
  }
}

const patience = (seen: number): number => ((seen & WRITE) === 0 ? READ_MS : WRITE_MS)
