/**
 * Where in the unit's code a line was logged: the topmost frame of the unit's script.
 *
 * A unit may have set `Error.prepareStackTrace`, or a limit of 0 frames, for reasons of its own. Both are set aside while
 * the frames are read, so none of its code runs meanwhile; where it froze them, its lines have no position. What it can
 * forge, by the name of a function, is a position in its own code.
 */
import {
  charCodeAt,
  defineProperty,
  deleteProperty,
  getOwnPropertyDescriptor,
  indexOf,
  slice,
} from './primordials.ts'
import { setup } from './setup.ts'

const ErrorIntrinsic = Error
const { captureStackTrace } = Error as unknown as {
  captureStackTrace(into: object, below: unknown): void
}

/** Enough to see past `[…].forEach(console.log)` and the like. */
const FRAMES = 6

/** `token@3.js:7:3`, or empty where nothing is known. `below` is the function that the unit called. */
export function callSite(below: unknown): string {
  try {
    return withOwn('prepareStackTrace', undefined, () =>
      withOwn('stackTraceLimit', FRAMES, () => topFrame(stackBelow(below))),
    )
  } catch {
    return ''
  }
}

/** Runs `read` while that property of `Error` has another value. Throws where the unit froze it. */
function withOwn(name: string, value: unknown, read: () => string): string {
  const own = getOwnPropertyDescriptor(ErrorIntrinsic, name)
  defineProperty(ErrorIntrinsic, name, {
    __proto__: null,
    value,
    writable: true,
    enumerable: true,
    configurable: true,
  } as PropertyDescriptor)
  try {
    return read()
  } finally {
    restore(name, own)
  }
}

function restore(name: string, own: PropertyDescriptor | undefined): void {
  if (own === undefined) deleteProperty(ErrorIntrinsic, name)
  // A spread takes own fields alone: `Object.prototype.get` is nothing to us.
  else defineProperty(ErrorIntrinsic, name, { __proto__: null, ...own } as PropertyDescriptor)
}

function stackBelow(below: unknown): string {
  // Without a prototype: the text begins with the object's `name`, which may be a getter of the unit.
  const holder = { __proto__: null, stack: '' as unknown }
  captureStackTrace(holder, below)
  return typeof holder.stack === 'string' ? holder.stack : ''
}

function topFrame(stack: string): string {
  const script = `${setup.unit.name}@${setup.unit.version}.js:`
  const start = indexOf(stack, script)
  if (start === -1) return ''
  let end = start + script.length
  // Line, colon and column; at most 20 characters of them.
  while (end < start + script.length + 20 && isPlace(charCodeAt(stack, end))) end++
  return slice(stack, start, end)
}

const isPlace = (code: number): boolean => (code >= 48 && code <= 57) || code === 58
