/** A piece of a body as it crosses to a unit's `bodyFilter` and comes back: see `sandbox/protocol.ts`. */
import { isAscii } from 'node:buffer'
import type { TripOutcome } from '../../contract/unit-runner.ts'

type Answered = Extract<TripOutcome, { kind: 'response' }>

export function pieceText(piece: Buffer, isLast: boolean, isText: boolean): string {
  const last = isLast ? '1' : '0'
  if (!isText) return `b${last}${piece.toString('base64')}`
  return `${isAscii(piece) ? 'a' : 'u'}${last}${piece.toString('latin1')}`
}

export function newPiece(before: Buffer, { body, kept }: Answered): Buffer {
  if (typeof body !== 'string') return Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  const middle = Buffer.from(body, 'utf8')
  if (kept === undefined) return middle
  const { prefix, suffix } = kept
  return Buffer.concat([before.subarray(0, prefix), middle, before.subarray(before.length - suffix)])
}
