/**
 * `setTimeout`, `setInterval` and `queueMicrotask`: the clock is the host's, which is told when to fire what.
 *
 * A callback runs inside a step like any handler, under its limits. What it throws is logged: nobody awaits it.
 */
import { inspect } from './inspect.ts'
import { ERROR, running } from './logging.ts'
import { writeLog, writeTimer, writeTimerClear } from './output.ts'
import { mapDelete, mapGet, MapIntrinsic, mapSet, mapSize, reflectApply } from './primordials.ts'

/** Timers of one isolate that wait at the same time. */
const TIMERS_MAX = 1000
const DELAY_MAX = 2 ** 31 - 1

class Timer {
  readonly callback: (...args: readonly unknown[]) => unknown
  readonly args: readonly unknown[]
  /** Milliseconds between two runs, or -1 for one run. */
  readonly every: number
  /** The invocation that set it, or 0. */
  readonly setBy: number

  constructor(callback: Timer['callback'], args: readonly unknown[], every: number, setBy: number) {
    this.callback = callback
    this.args = args
    this.every = every
    this.setBy = setBy
  }
}

const timers = new MapIntrinsic<number, Timer>()
let lastId = 0

function delayOf(delay: unknown): number {
  const ms = +(delay as number)
  return ms >= 1 ? (ms <= DELAY_MAX ? ms - (ms % 1) : 1) : 0
}

function startTimer(callback: unknown, ms: number, repeats: boolean, args: readonly unknown[]): number {
  if (typeof callback !== 'function') throw new TypeError('the first argument of a timer is a function')
  if (mapSize(timers) >= TIMERS_MAX) throw new RangeError(`more than ${TIMERS_MAX} timers wait`)
  const id = ++lastId
  mapSet(timers, id, new Timer(callback as Timer['callback'], args, repeats ? ms : -1, running.id))
  writeTimer(id, ms)
  return id
}

export const setTimeout = (callback: unknown, delay?: unknown, ...args: readonly unknown[]): number =>
  startTimer(callback, delayOf(delay), false, args)

export const setInterval = (callback: unknown, delay?: unknown, ...args: readonly unknown[]): number =>
  startTimer(callback, delayOf(delay), true, args)

export const clearTimeout = (id?: unknown): void => {
  if (typeof id === 'number' && mapDelete(timers, id)) writeTimerClear(id)
}

export const queueMicrotask = (callback: unknown): void => {
  if (typeof callback !== 'function') throw new TypeError('queueMicrotask takes a function')
  void runSoon(callback as Timer['callback'], running.id)
}

async function runSoon(callback: Timer['callback'], id: number): Promise<void> {
  await undefined
  runGuarded(callback, [], id)
}

/** Returns the invocation behind the timer, or 0. */
export const setterOf = (id: number): number => mapGet(timers, id)?.setBy ?? 0

export function fireTimer(id: number): void {
  const timer = mapGet(timers, id)
  // Cleared while it was on its way.
  if (timer === undefined) return
  if (timer.every === -1) mapDelete(timers, id)
  runGuarded(timer.callback, timer.args, timer.setBy)
  if (timer.every !== -1 && mapGet(timers, id) === timer) writeTimer(id, timer.every)
}

function runGuarded(callback: Timer['callback'], args: readonly unknown[], id: number): void {
  const before = running.id
  running.id = id
  try {
    reflectApply(callback, undefined, args)
  } catch (error) {
    writeLog(id, ERROR, inspect(error))
  }
  running.id = before
}
