/** Who was it, and what did it throw: read out of what an untrusted isolate left behind. */
import { Invocation } from './invocation.ts'
import type { Cut, Entry } from './lane.ts'

/** What authors are told. */
export const BACKGROUND_LOST = 'waitUntil: its work was lost with its isolate'
export const BUSY = 'the machine was too busy to run it'
export const ONCE_ONLY = 'it was cut off after a fetch or a write to kv, so it is not run again: '

/** An isolate whose answer cannot be read is as good as gone. */
export const MALFORMED: Cut = {
  reason: 'broken',
  cpuUs: 0,
  progress: -1,
  runningId: 0,
  message: 'its answer is not in form',
  patience: 1,
}

/**
 * Which of those that were lost ran when the isolate was cut off: by the entry, by what the guest said, or because there
 * is but one. Undefined where that is unknown: what awaited goes on after the step, and nobody can tell them apart.
 */
export function culprit(
  entry: Entry | undefined,
  runningId: number,
  lost: readonly Invocation[],
): Invocation | undefined {
  if (entry instanceof Invocation) return lost.includes(entry) ? entry : undefined
  if (runningId > 0) return lost.find((invocation) => invocation.id === runningId)
  return lost.length === 1 ? lost[0] : undefined
}

/** What was thrown, as its stack where there is one. The guest's JSON may be anything. */
export function thrownText(json: string): string {
  try {
    const thrown = JSON.parse(json) as { name?: unknown; message?: unknown; stack?: unknown } | null
    if (typeof thrown?.stack === 'string' && thrown.stack !== '') return thrown.stack
    return `${String(thrown?.name ?? 'Error')}: ${String(thrown?.message ?? '')}`
  } catch {
    return 'it threw'
  }
}

/** What the author is told. */
export const overLimit = (cpuUs: number, cpuMs: number): string =>
  `it used ${Math.round(cpuUs / 1000)} ms of CPU in a call; ${cpuMs} ms are allowed`
