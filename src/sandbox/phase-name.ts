/** What the bits of phases are called. */
import { PHASE_BITS, PHASES, type Phase } from '../contract/unit.ts'

const PHASE_OF_BIT: ReadonlyMap<number, Phase> = new Map(PHASES.map((phase) => [PHASE_BITS[phase], phase]))

/** The phase of a bit; where it is none, the first of those that ran. */
export function phaseName(bit: number, phases: number): Phase {
  const phase = PHASE_OF_BIT.get(bit)
  if (phase !== undefined) return phase
  return PHASES.find((phase) => (phases & PHASE_BITS[phase]) !== 0) ?? 'rewrite'
}
