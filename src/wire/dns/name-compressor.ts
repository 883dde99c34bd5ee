/**
 * Names of the message that is written, so that later ones point at them (RFC 1035 §4.1.4), in whatever case they were written.
 *
 * So few names are in a message, and so short are they, that comparing bytes from their ends beats a map of strings. Of a message with many names the
 * first ones and the last ones are remembered: the zone's, and the neighbours'. Compression is never owed.
 */
import { NAME_BYTES_MAX } from './name.ts'

/** How far a pointer reaches. */
const POINTER_MAX = 0x3fff
const NAMES_MAX = 24
/** The first ones stay; the others take turns. */
const NAMES_STAYING = 8
const SLOT_BYTES = 256

/** Each name in lower case, in a slot of its own. */
const kept = new Uint8Array(NAMES_MAX * SLOT_BYTES)
const lengths = new Int32Array(NAMES_MAX)
/** Where each was written. */
const places = new Int32Array(NAMES_MAX)
/** How many bytes of it stand there; the rest is a pointer to one before it. */
const literals = new Int32Array(NAMES_MAX)
let count = 0
let nextSlot = 0

/** Owners repeat: the key of the first name and of the last one, and where they are. */
let firstKey = ''
let firstAt = 0
let lastKey = ''
let lastAt = 0

/** Name that is written just now, in lower case. */
const current = new Uint8Array(NAME_BYTES_MAX)

/** Before a message. */
export function forgetNames(): void {
  count = 0
  nextSlot = 0
  firstKey = ''
  lastKey = ''
}

/** Writes the name at `at`, and returns where it ends. `key` is `wire` in lower case. */
export function compressInto(into: Uint8Array, at: number, wire: string, key: string): number {
  if (key === firstKey) return writePointer(into, at, firstAt)
  if (key === lastKey) return writePointer(into, at, lastAt)
  const length = key.length
  for (let index = 0; index < length; index++) current[index] = key.charCodeAt(index)
  const literal = match(length)
  const end = at + literal
  for (let index = 0; index < literal; index++) into[at + index] = wire.charCodeAt(index)
  if (at <= POINTER_MAX && length > 1) {
    if (firstKey === '') {
      firstKey = key
      firstAt = at
    } else {
      lastKey = key
      lastAt = literal === 0 ? matched : at
    }
  }
  return finish(into, at, end, literal, length)
}

/** The same for a name in bytes from `from` to `to`. */
export function compressBytesInto(
  into: Uint8Array,
  at: number,
  bytes: Uint8Array,
  from: number,
  to: number,
): number {
  const length = to - from
  for (let index = 0; index < length; index++) {
    const byte = bytes[from + index]!
    current[index] = byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte
  }
  const literal = match(length)
  for (let index = 0; index < literal; index++) into[at + index] = bytes[from + index]!
  return finish(into, at, at + literal, literal, length)
}

/** Behind the bytes that are written as they are: the pointer, where they are not all; and the name is remembered. */
function finish(into: Uint8Array, at: number, end: number, literal: number, length: number): number {
  if (literal > 0 && length > 1 && at <= POINTER_MAX) remember(at, literal, length)
  return literal === length ? end : writePointer(into, end, matched)
}

function writePointer(into: Uint8Array, at: number, target: number): number {
  into[at] = 0xc0 | (target >> 8)
  into[at + 1] = target
  return at + 2
}

/** Where the end of the name stands that `match` found. */
let matched = 0

/** How many bytes of the current name stand nowhere yet: all of them, or those in front of its longest end that does. */
function match(length: number): number {
  let best = length
  for (let name = 0; name < count && best > 0; name++) {
    const theirs = lengths[name]!
    const base = name * SLOT_BYTES
    /** What they have in common, from the end. */
    let common = 0
    const most = length < theirs ? length : theirs
    while (common < most && current[length - 1 - common] === kept[base + theirs - 1 - common]) common += 1
    if (common < 3 || length - common >= best) continue
    // From both sides it has to begin with a label, and stand there in bytes that a pointer reaches.
    let ours = 0
    let other = 0
    while (ours < best) {
      const left = length - ours
      if (left <= common) {
        const where = theirs - left
        while (other < where) other += 1 + kept[base + other]!
        if (other === where) {
          const place = places[name]! + where
          if (left > 1 && where < literals[name]! && place <= POINTER_MAX) {
            best = ours
            matched = place
          }
          break
        }
      }
      if (left === 1) break
      ours += 1 + current[ours]!
    }
  }
  return best
}

function remember(at: number, literal: number, length: number): void {
  let slot = count
  if (count < NAMES_MAX) count += 1
  else {
    slot = NAMES_STAYING + nextSlot
    nextSlot = (nextSlot + 1) % (NAMES_MAX - NAMES_STAYING)
  }
  const base = slot * SLOT_BYTES
  for (let index = 0; index < length; index++) kept[base + index] = current[index]!
  lengths[slot] = length
  places[slot] = at
  literals[slot] = literal
}
