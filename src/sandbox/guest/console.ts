/** `console`: its lines are the unit's log. */
import { callSite } from './call-site.ts'
import { inspect } from './inspect.ts'
import { DEBUG, ERROR, format, INFO, running, runningId, sayAt, WARN } from './logging.ts'
import { writeLog } from './output.ts'
import { slice } from './primordials.ts'

export const console = {
  debug: sayAt(DEBUG, runningId),
  log: sayAt(INFO, runningId),
  info: sayAt(INFO, runningId),
  warn: sayAt(WARN, runningId),
  error: sayAt(ERROR, runningId),
  dir: function dir(value: unknown): void {
    writeLog(running.id, INFO, inspect(value), callSite(dir))
  },
  /** With the stack of the call. */
  trace: function trace(...args: readonly unknown[]): void {
    const { stack } = new Error(format(args))
    const text = `Trace${typeof stack === 'string' ? slice(stack, 5) : ''}`
    writeLog(running.id, DEBUG, text, callSite(trace))
  },
  assert: function assert(holds: unknown, ...args: readonly unknown[]): void {
    if (holds) return
    const text = `Assertion failed${args.length === 0 ? '' : `: ${format(args)}`}`
    writeLog(running.id, ERROR, text, callSite(assert))
  },
}
