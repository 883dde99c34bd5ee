/** What the supervisor asks of the checker: a unit's source in, what can be stored out, or what is wrong with it. */
import type { DeployRequest } from '../control/node.ts'
import type { ChangeTimings } from '../control/shapes.ts'
import type { Draft } from '../unit/changes.ts'

export interface BuiltUnit {
  /** What is known without running it: its phases and fields are read when it is tried. */
  readonly draft: Pick<Draft, 'code' | 'sourceMap' | 'files' | 'entry'>
  readonly timings: Pick<ChangeTimings, 'buildMs' | 'checkMs'>
}

export interface UnitBuilder {
  /** Throws `Refused` with the problems of the source. */
  build(name: string, request: DeployRequest): Promise<BuiltUnit>
  /** The process that does it, while there is one. */
  readonly pid: number | undefined
  close(): void
}

export function startBuilder(): UnitBuilder {
  throw new Error('no checker yet')
}
