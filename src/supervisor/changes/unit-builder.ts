/** What the supervisor asks of the checker: a unit's source in, what can be stored out, or what is wrong with it. */
import { Checker } from '../../checker/checker.ts'
import type { BuiltTests, Problem as FoundProblem } from '../../checker/protocol.ts'
import { Refused, type DeployRequest } from '../../control/node.ts'
import type { ChangeTimings, Problem } from '../../control/shapes.ts'
import type { Draft } from '../../unit/changes.ts'
import type { Log } from '../log.ts'

export interface BuiltUnit {
  /** What is known without running it: its phases and fields are read when it is tried. */
  readonly draft: Pick<Draft, 'code' | 'sourceMap' | 'files' | 'entry'>
  readonly warnings: readonly Problem[]
  readonly tests?: BuiltTests
  readonly timings: Pick<ChangeTimings, 'buildMs' | 'checkMs'>
}

export interface UnitBuilder {
  /** Throws `Refused` with the problems of the source, and `EdgeError` where the node could not look for them. */
  build(name: string, request: DeployRequest): Promise<BuiltUnit>
  /** Gets ready for the first build, ahead of it, where that is wanted. */
  warm(): void
  /** The process that does it, while there is one. */
  readonly pid: number | undefined
  close(): void
}

/** `isWarm`: `config.control.warmChecker`. */
export function createBuilder(log: Log, isWarm: boolean): UnitBuilder {
  const checker = new Checker({ onDeath: (message) => log.warn(message) })
  return {
    warm: () => void (isWarm && checker.start()),
    get pid() {
      return checker.pid
    },
    async build(name, { source, language, entry, files: others, tests: testFile }) {
      const files = { ...others, [entry]: source }
      const result = await checker.build({ name, entry, files, language, tests: testFile })
      if (!result.ok) throw refusal(name, result.problems.map(withoutSeverity))
      const { code, sourceMap, warnings, tests, buildMs, checkMs } = result
      return {
        draft: { code, sourceMap, files, entry },
        warnings: warnings.map(withoutSeverity),
        ...(tests && { tests }),
        timings: { buildMs: round(buildMs), checkMs: round(checkMs) },
      }
    },
    close: () => checker.close(),
  }
}

function refusal(name: string, problems: readonly Problem[]): Refused {
  const [first] = problems
  const where = [first?.file, first?.line, first?.column].filter((part) => part !== undefined).join(':')
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : ''
  return new Refused(`${name} does not build: ${where}${where && ': '}${first?.message}${more}`, problems)
}

const withoutSeverity = ({ message, file, line, column }: FoundProblem): Problem => ({
  message,
  ...(file === undefined ? {} : { file }),
  ...(line === undefined ? {} : { line }),
  ...(column === undefined ? {} : { column }),
})
const round = (ms: number) => Math.round(ms * 100) / 100
