/**
 * Which of the eight places of a bucket makes room for a new key.
 *
 * `order` is the eight places in nibbles, the newest one lowest: one word that is always whole, whoever writes it. `marks` are two bits a place for
 * how often it was asked for lately, and one for those that have proved themselves.
 *
 * `lru`: the one that nobody asked for the longest. `s3-fifo` (Yang et al., "FIFO queues are all you need for cache eviction", 2023), within a bucket: a new key
 * comes in on trial, and the oldest one on trial goes first, unless it was asked for again: then it stays, among those that go in turn and
 * are passed over as often as they were asked for. Keys that come once, as a flood of addresses does, push out each other. In place of the
 * ghost queue of the paper stands the sketch behind the table: a key that has used half of its allowance, as far as that remembers, needs no trial.
 */
export type Replacement = 's3-fifo' | 'lru'

export const PLACES = 8

/** What `order` is before anybody wrote it; stored orders are XORed with it, so that zeros are one. */
export const IDENTITY = 0x76543210

const ASKED_MAX = 3
const PROVED = 1 << 16

export function moveToNewest(order: number, place: number): number {
  if ((order & 15) === place) return order
  let shift = 4
  while (shift < 28 && ((order >>> shift) & 15) !== place) shift += 4
  const newer = order & ((1 << shift) - 1)
  const older = shift === 28 ? 0 : order & (-1 << (shift + 4))
  return older | (newer << 4) | place
}

/** The marks after a key was asked for again. */
export function asked(marks: number, place: number): number {
  const shift = place << 1
  return ((marks >>> shift) & ASKED_MAX) === ASKED_MAX ? marks : marks + (1 << shift)
}

/** The marks after a key came in. */
export function cameIn(marks: number, place: number, isProved: boolean): number {
  const cleared = marks & ~((ASKED_MAX << (place << 1)) | (PROVED << place))
  return isProved ? cleared | (PROVED << place) : cleared
}

export const oldest = (order: number): number => order >>> 28

/** The oldest place that `marks` says is (not) proved; -1 where there is none. */
function oldestOf(order: number, marks: number, isProved: boolean): number {
  for (let shift = 28; shift >= 0; shift -= 4) {
    const place = (order >>> shift) & 15
    if (((marks & (PROVED << place)) !== 0) === isProved) return place
  }
  return -1
}

/** S3-FIFO's choice, with what `order` and `marks` have become on the way to it. */
export function chosen(order: number, marks: number): { place: number; order: number; marks: number } {
  for (;;) {
    const onTrial = oldestOf(order, marks, false)
    const place = onTrial === -1 ? oldest(order) : onTrial
    const one = 1 << (place << 1)
    if ((marks & (one * ASKED_MAX)) === 0) return { place, order, marks }
    // From trial it starts anew, without what it was asked for there; else one of the times is used up.
    marks = onTrial === -1 ? marks - one : cameIn(marks, place, true)
    order = moveToNewest(order, place)
  }
}
