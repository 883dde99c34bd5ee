/** A piece of a body as it crosses to a unit's `bodyFilter` and comes back: see `sandbox/protocol.ts`. */
import { isAscii } from 'node:buffer'
import type { BodyPiece, TripOutcome } from '../../contract/unit-runner.ts'

type Answered = Extract<TripOutcome, { kind: 'response' }>

const NOTHING_KEPT = { prefix: 0, suffix: 0 }

/** Nobody changes the piece while it is with the unit. */
export function pieceText(piece: Buffer, isLast: boolean, isText: boolean): string | BodyPiece {
  const last = isLast ? '1' : '0'
  if (!isText) return `b${last}${piece.toString('base64')}`
  return { mark: `${isAscii(piece) ? 'a' : 'u'}${last}`, bytes: piece }
}

/** In parts: what the unit kept is not copied. None of them is empty. */
export function newPiece(before: Buffer, { body, kept }: Answered): readonly Buffer[] {
  const middle =
    typeof body === 'string'
      ? Buffer.from(body, 'utf8')
      : Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  const { prefix, suffix } = kept ?? NOTHING_KEPT
  const parts = [before.subarray(0, prefix), middle, before.subarray(before.length - suffix)]
  return parts.filter(({ length }) => length > 0)
}
