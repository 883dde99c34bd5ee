/** What the kernel is told of a process of ours, where it listens: not on every system, and not for everybody. */
import { writeFileSync } from 'node:fs'

/**
 * How late timers of a thread, and of those it starts, may be. isolated-vm's thread for trip wires wakes for the deadline of
 * every crossing, long after the crossing is over; with some slack it wakes for many at once. A trip wire is as much later,
 * and is no verdict.
 */
export function setTimerSlack(pid: number | 'self' | undefined, slackMs: number): void {
  tellKernel(pid, 'timerslack_ns', String(slackMs * 1_000_000))
}

/** When memory runs out, this process goes first. */
export function offerToOom(pid: number | undefined): void {
  tellKernel(pid, 'oom_score_adj', '1000')
}

function tellKernel(pid: number | 'self' | undefined, file: string, value: string): void {
  try {
    writeFileSync(`/proc/${pid}/${file}`, value)
  } catch {
    // Then it stays as it is.
  }
}
