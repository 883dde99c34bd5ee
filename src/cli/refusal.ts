/** What was refused, for a person: each problem with its place and the line it speaks of, each laggard with its reason. */
import { excerpt } from '../base/excerpt.ts'
import type { EdgeError } from '../base/errors.ts'
import type { Problem } from '../control/shapes.ts'
import { ControlRefusal } from './control-client.ts'

/** A file as its author knows it. */
export interface ShownFile {
  readonly path: string
  readonly text: string | undefined
}

/** `find` turns the name of a file in a problem into the author's own. */
export function refusalText(
  error: EdgeError,
  find: (file: string) => ShownFile = (path) => ({ path, text: undefined }),
): string {
  const { problems = [], laggards = [] } = error instanceof ControlRefusal ? error.details : {}
  return [
    `orla: ${error.message}`,
    ...problems.map((problem) => problemText(problem, find)),
    ...laggards.map(({ who, reason }) => `  ${who}: ${reason}`),
    `  ${error.hint}`,
  ].join('\n')
}

/** `units/token.ts:7:3: message`, and the line with a mark under the place. */
export function problemText(
  { message, file, line, column = 1 }: Problem,
  find: (file: string) => ShownFile,
): string {
  if (file === undefined) return message
  const { path, text } = find(file)
  if (line === undefined) return `${path}: ${message}`
  const shown = text === undefined ? '' : excerpt(text, line, column)
  return `${path}:${line}:${column}: ${message}${shown === '' ? '' : `\n${shown}`}`
}
