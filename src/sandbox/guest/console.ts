/** `console`: its lines are the unit's log. */
import { inspect } from './inspect.ts'
import { DEBUG, ERROR, format, INFO, running, WARN } from './logging.ts'
import { writeLog } from './output.ts'
import { slice } from './primordials.ts'

const say =
  (level: number) =>
  (...args: readonly unknown[]): void =>
    writeLog(running.id, level, format(args))

export const console = {
  debug: say(DEBUG),
  log: say(INFO),
  info: say(INFO),
  warn: say(WARN),
  error: say(ERROR),
  dir: (value: unknown): void => writeLog(running.id, INFO, inspect(value)),
  /** With the stack of the call. */
  trace: (...args: readonly unknown[]): void => {
    const { stack } = new Error(format(args))
    writeLog(running.id, DEBUG, `Trace${typeof stack === 'string' ? slice(stack, 5) : ''}`)
  },
  assert: (holds: unknown, ...args: readonly unknown[]): void => {
    if (!holds) writeLog(running.id, ERROR, `Assertion failed${args.length === 0 ? '' : `: ${format(args)}`}`)
  },
}
