/**
 * What a unit says: `edge.log`, `console`, and the errors that nobody waits for.
 *
 * A line is the arguments as Node prints them, in short. `console` does not know which request it is called for once
 * a handler has awaited; `edge.log` always does.
 */
import { awaiting } from './awaiting.ts'
import { callSite } from './call-site.ts'
import { inspect } from './inspect.ts'
import { type LogLevel, writeLog } from './output.ts'
import { defineProperty, freeze } from './primordials.ts'

export const DEBUG = 0
export const INFO = 1
export const WARN = 2
export const ERROR = 3

/** The invocation whose handler runs right now, before its first `await`; 0 for none. */
export const running = { id: 0 }
export const runningId = (): number => running.id

/** The arguments from `from` on, as one text. */
export function format(args: readonly unknown[], from = 0): string {
  let text = ''
  for (let i = from; i < args.length; i++) {
    const part = args[i]
    text += (i === from ? '' : ' ') + (typeof part === 'string' ? part : inspect(part))
  }
  return text
}

type Say = (...args: readonly unknown[]) => void

export interface LogFunction extends Say, Readonly<Record<LogLevel, Say>> {}

/** A function that logs its arguments; `id` tells the invocation at the time of the call. */
export function sayAt(level: number, id: () => number): Say {
  const say: Say = (...args) => writeLog(id(), level, format(args), callSite(say))
  return say
}

/** `log(…)` at level info, `log('warn', …)`, `log.warn(…)`. */
export function logFunction(id: number): LogFunction {
  const log = (...args: readonly unknown[]): void => {
    const level = args.length > 1 ? levelOf(args[0]) : -1
    const where = callSite(log)
    if (level === -1) writeLog(id, INFO, format(args), where)
    else writeLog(id, level, format(args, 1), where)
  }
  const ownId = (): number => id
  define(log, 'debug', sayAt(DEBUG, ownId))
  define(log, 'info', sayAt(INFO, ownId))
  define(log, 'warn', sayAt(WARN, ownId))
  define(log, 'error', sayAt(ERROR, ownId))
  return freeze(log) as LogFunction
}

const define = (on: object, name: string, value: unknown): unknown =>
  defineProperty(on, name, { __proto__: null, value } as PropertyDescriptor)

const levelOf = (word: unknown): number =>
  word === 'debug' ? DEBUG : word === 'info' ? INFO : word === 'warn' ? WARN : word === 'error' ? ERROR : -1

/** Logs the error of a promise that nobody waits for. */
export async function logRejection(id: number, work: unknown): Promise<void> {
  awaiting.count++
  try {
    await work
  } catch (error) {
    writeLog(id, ERROR, inspect(error))
  }
  awaiting.count--
}
