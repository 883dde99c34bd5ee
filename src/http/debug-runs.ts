/** What units did to a request, as the headers of a debugged answer tell it. */
import type { HeaderList } from '../wire/http1/message.ts'
import type { UnitPlan } from './unit-plan.ts'

export interface DebugRun {
  readonly unit: string
  readonly phase: string
  readonly result: string
  cpuUs: number
}

const runText = (run: DebugRun): string => `${run.unit} ${run.phase} ${run.result} ${run.cpuUs}us`

/** In the head: what ran, and what will run once it has left. */
export function unitsField(runs: readonly DebugRun[], { bodyFilter }: UnitPlan): string {
  const ahead = bodyFilter.map(({ unit }) => `${unit.name}@${unit.version} bodyFilter ahead 0us`)
  return `orla-units: ${[...runs.map(runText), ...ahead].join(', ') || 'none'}\r\n`
}

/** What ran after the head had left: for the end of a body in chunks. */
export function unitsTrailers(runs: readonly DebugRun[]): HeaderList {
  const late = runs.filter(({ phase }) => phase === 'bodyFilter')
  return late.length === 0 ? [] : ['orla-units', late.map(runText).join(', ')]
}
