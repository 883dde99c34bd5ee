/** Refusals, as values made once: the parsers return them on bad input, which is where an attacker would like them slow. */
import type { WireProblem } from './message.ts'

export function problem(status: WireProblem['status'], reason: string): WireProblem {
  return { kind: 'problem', status, reason }
}

export const BARE_LF = problem(400, 'bare LF')
export const BARE_CR = problem(400, 'bare CR')
export const HEAD_TOO_LARGE = problem(431, 'head too large')
export const TOO_MANY_FIELDS = problem(431, 'too many header fields')
