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

/** Turns the name of a file in a problem into the author's own. */
export type FindFile = (file: string) => ShownFile

const asNamed: FindFile = (path) => ({ path, text: undefined })

/** An error that ended a command; `subject` is the one of several things that it is about. */
export function refusalText(error: EdgeError, find: FindFile = asNamed, subject?: string): string {
  const { title, problems: listed = [], laggards = [] } = error instanceof ControlRefusal ? error.details : {}
  // What an edge says of it stands in the detail, with the edge and what became of the change.
  const problems = error.code === 'edge-rejected' ? [] : listed
  const about = subject === undefined ? '' : `${subject}: `
  // The detail holds the first problem; all of them follow here.
  const what = problems.length > 0 && title !== undefined ? title : error.message
  return [
    `orla: ${about}${what}`,
    ...problems.map((problem) => problemText(problem, find)),
    ...laggards.map(({ who, reason }) => `  ${who}: ${reason}`),
    `  ${error.hint}`,
  ].join('\n')
}

/** `units/token.ts:7:3: message`, and the line with a mark under the place. */
export function problemText({ message, file, line, column = 1 }: Problem, find: FindFile): string {
  if (file === undefined) return message
  const { path, text } = find(file)
  if (line === undefined) return `${path}: ${message}`
  const shown = text === undefined ? '' : excerpt(text, line, column)
  return `${path}:${line}:${column}: ${message}${shown === '' ? '' : `\n${shown}`}`
}
