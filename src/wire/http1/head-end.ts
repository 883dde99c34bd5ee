/** Heads that arrive in pieces: looks at each byte once, so that a sender who drips costs no more than one who does not. */
import { CR, LF } from './characters.ts'
import type { WireProblem } from './message.ts'
import { BARE_LF } from './problems.ts'

/**
 * Looks for the empty line of the head at `start` among the bytes from `from`. True: it is there, parse. Undefined: not yet. A bare LF is
 * told at once: its sender thinks the head is complete, and waits.
 */
export function lookForHeadEnd(
  bytes: Buffer,
  start: number,
  from: number,
  end: number,
): true | undefined | WireProblem {
  for (let at = bytes.indexOf(LF, from); at !== -1 && at < end; at = bytes.indexOf(LF, at + 1)) {
    if (at === start || bytes[at - 1] !== CR) return BARE_LF
    if (at - start >= 3 && bytes[at - 2] === LF) return true
  }
  return undefined
}
