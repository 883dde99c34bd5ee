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
 * grows with every owner). Then it begins again. In the second half, a few stores, it is left alone as long as it only waits for a core. Who takes over
 * from an owner that is dead or stopped finds the mark, knows which part may be half written, and mends it. So nobody waits for an owner that
 * does not come back, and what it leaves behind is one part that is marked.
 */
import { isRunnable } from '../base/proc.ts'
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
/** How often is looked whether an owner that writes is dead or stopped, instead of waiting for a core. */
const LOOK_MS = 2
/** No owner is waited for any longer: a whole group of processes may be frozen. */
const WRITE_MS = 500
/** Where in the words the process of each owner stands: nobody else writes there. */
export const PIDS_AT = 64
export const PIDS = OWNER + 1

/** This process is `owner` from now on: others look at it where it does not let go. */
export function enter(words: Int32Array, owner: number): void {
  Atomics.store(words, PIDS_AT + owner, process.pid)
}

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

/** Here, stores are seen by others in the order in which they were made: the one that frees the lock can be a plain one, which costs a tenth. */
const isOrdered = process.arch === 'x64'

/** Lets go, also of the mark. False: it was lost before. */
export function release(words: Int32Array, at: number, held: number): boolean {
  const free = held & ~(OWNER | PART | WRITE)
  if (!isOrdered) return Atomics.compareExchange(words, at, held, free) === held
  if (words[at] !== held) return false
  // Who is stopped between these two lines, and only for this long taken over from, frees a lock that others hold: they find out, and begin again.
  words[at] = free
  return true
}

/** The owner is dead: what it holds is free, and what it was writing marked. */
export function releaseOf(words: Int32Array, at: number, owner: number): void {
  const seen = words[at]!
  if ((seen & OWNER) === owner) Atomics.compareExchange(words, at, seen, seen & ~OWNER)
}

function contend(words: Int32Array, at: number, owner: number): number {
  let watched = Atomics.load(words, at)
  let since = 0
  let looked = 0
  for (let spins = 0; ; spins++) {
    const seen = Atomics.load(words, at)
    if (seen !== watched) {
      watched = seen
      since = 0
    }
    let isOver = (seen & OWNER) === 0 || (seen & OWNER) === owner
    if (!isOver && since > 0) {
      const now = performance.now()
      if (!isTorn(seen)) isOver = now - since > READ_MS
      else if (now - since > WRITE_MS) isOver = true
      else if (now - since > LOOK_MS && now - looked > LOOK_MS) {
        looked = now
        isOver = !isRunnable(words[PIDS_AT + (seen & OWNER)]!)
      }
    }
    if (isOver) {
      const mine = nextOf(seen, owner)
      if (Atomics.compareExchange(words, at, seen, mine) === seen) return mine
    } else if (spins > SPINS) {
      if (since === 0) since = performance.now()
      yieldCpu()
    }
  }
}
