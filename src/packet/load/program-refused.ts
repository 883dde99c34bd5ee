/** A program that cannot be compiled, or that the kernel does not take: what is wrong with it, place by place. */
import { EdgeError } from '../../base/errors.ts'
import { excerpt } from '../../base/excerpt.ts'
import type { SourceProblem } from './source-problem.ts'

/** More would push the first one off the screen. */
const SHOWN_MAX = 5

export class ProgramRefused extends EdgeError {
  readonly file: string
  readonly problems: readonly SourceProblem[]

  constructor(
    file: string,
    source: string | undefined,
    problems: readonly SourceProblem[],
    hint?: string | undefined,
  ) {
    super('program-invalid', textOf(file, source, problems), hint === undefined ? {} : { hint })
    this.name = 'ProgramRefused'
    this.file = file
    this.problems = problems
  }
}

function textOf(file: string, source: string | undefined, problems: readonly SourceProblem[]): string {
  const shown = problems.slice(0, SHOWN_MAX).map((problem) => one(file, source, problem))
  const more = problems.length - shown.length
  return [...shown, ...(more > 0 ? [`and ${more} more`] : [])].join('\n')
}

function one(file: string, source: string | undefined, problem: SourceProblem): string {
  const { message, line, column, file: other } = problem
  const place = [other ?? file, line, line === undefined ? undefined : column].filter(
    (part) => part !== undefined,
  )
  const [first = '', ...rest] = message.split('\n')
  const shown =
    line === undefined || other !== undefined || source === undefined
      ? ''
      : excerpt(source, line, column ?? 1)
  const lines = [`${place.join(':')}: ${first}`, ...(shown === '' ? [] : [shown]), ...rest]
  return lines.join('\n')
}
