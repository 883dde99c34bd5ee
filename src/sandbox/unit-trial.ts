/** Makes the isolate of a version ahead of its first use, to have it ready or to see what is wrong with it. */
import type { Lane } from './lane.ts'
import type { UnitSlot } from './unit-slot.ts'
import type { ModuleFacts, TryOutcome } from '../contract/unit-runner.ts'

/** What was cut short by the death of a sandbox is tried again so often. */
const TRIES = 3

interface Prepared {
  /** Empty for none. */
  readonly problem: string
  /** JSON of `ModuleFacts`. */
  readonly facts: string
}

/** `lane` is asked again for every try: the one before may be dead. */
export async function prepareOn(slot: UnitSlot, lane: () => Lane): Promise<Prepared> {
  for (let tries = 0; tries < TRIES; tries++) {
    const prepared = await new Promise<Prepared | undefined>((resolve) => {
      lane().prepare(slot, (problem, facts) =>
        resolve(problem === undefined ? undefined : { problem, facts }),
      )
    })
    if (prepared) return prepared
    if (slot.quarantined) {
      return { problem: `its top level ended the sandbox (${slot.quarantined})`, facts: '' }
    }
  }
  return { problem: 'the sandbox died each time it was tried', facts: '' }
}

export function tryOutcome({ problem, facts }: Prepared): TryOutcome {
  if (problem !== '') return { problems: [problem] }
  const module = parseFacts(facts)
  return module ? { problems: [], module } : { problems: ['its fields are no plain data, or too much of it'] }
}

/** The facts come out of a unit's isolate: they may be anything. */
function parseFacts(json: string): ModuleFacts | undefined {
  try {
    const facts = JSON.parse(json) as { phases?: unknown; fields?: unknown } | null
    const { phases, fields } = facts ?? {}
    if (!Number.isInteger(phases) || typeof fields !== 'object' || fields === null || Array.isArray(fields)) {
      return undefined
    }
    return { phases: phases as number, fields: fields as Record<string, unknown> }
  } catch {
    return undefined
  }
}
