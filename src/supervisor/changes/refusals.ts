/** Why a change is refused, in the words of whoever sent it. */
import type { ErrorCode } from '../../base/error-codes.ts'
import { EdgeError } from '../../base/errors.ts'
import { Refused } from '../../control/node.ts'
import type { Problem } from '../../control/shapes.ts'
import type { UnitVersion } from '../../contract/unit.ts'
import type { TestReport } from '../../contract/unit-runner.ts'
import { locateInSource } from '../../unit/source-map.ts'
import { WorkerSilent } from '../workers/worker-process.ts'

/** A unit is refused for the worker that died over it, and not for one that the machine gave no time. */
export function notDone(unit: UnitVersion, what: string, error: unknown): Error {
  const text = `${what}: ${(error as Error).message}`
  return error instanceof WorkerSilent
    ? new EdgeError('worker-failed', `${unit.name}: ${text}`)
    : refusal(unit, [text])
}

export function refusal(
  unit: { readonly name: string; readonly version: number },
  problems: readonly string[],
  code?: ErrorCode,
): Refused {
  const said = problems.join('; ')
  return new Refused(
    code === undefined ? `${unit.name} does not run: ${said}` : said,
    problems.map((message) => ({ message })),
    code,
  )
}

/** What went wrong when its top level ran, with the author's place where the stack names one. */
export function refusalOfTry(unit: UnitVersion, problems: readonly string[]): Refused {
  const found = problems.map((text): Problem => {
    const [message = ''] = text.split('\n')
    const place = locateInSource(unit, text)
    const [, file, line, column] = /^(.*):(\d+):(\d+)$/.exec(place ?? '') ?? []
    return file === undefined
      ? { message: text }
      : { message, file, line: Number(line), column: Number(column) }
  })
  return new Refused(`${unit.name} does not run: ${problems.join('; ')}`, found)
}

export function refusalOfTests({ name }: UnitVersion, { passed, failures }: TestReport): Refused {
  const problems = failures.map(({ name: test, message: said, where }): Problem => {
    const [, file, line, column] = /^(.*):(\d+):(\d+)$/.exec(where ?? '') ?? []
    const message = `test failed: ${test}: ${said}`
    return file === undefined ? { message } : { message, file, line: Number(line), column: Number(column) }
  })
  const count = `${failures.length} of ${passed + failures.length} tests failed`
  return new Refused(`${name}: ${count}: ${failures[0]!.name}: ${failures[0]!.message}`, problems)
}
