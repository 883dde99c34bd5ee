/**
 * Ends sandboxes that use too much memory, and those whose worker has died.
 *
 * V8's heap limit does not count everything (array buffers, BigInt, the compiler): measured, an isolate limited to 32 MB
 * grew to 1 GiB and took its process down. The kernel's own count of resident pages has no such gaps. It is read
 * every 100 ms; a unit that allocates 5 GB a second gets half a gigabyte further than allowed. The worker sees its sandbox end, as
 * with any other death, and blames the unit that was running.
 */
import type { Log } from '../log.ts'
import { residentBytes, startTicks } from '../../base/proc.ts'

const EVERY_MS = 100

interface Watched {
  readonly pid: number
  /** When the process started: tells it from a later one that was given the same pid. */
  readonly ticks: string | undefined
}

export class SandboxWatch {
  readonly #byWorker = new Map<number, readonly Watched[]>()
  readonly #bytesMax: number
  readonly #log: Log
  #timer: NodeJS.Timeout | undefined

  constructor(bytesMax: number, log: Log) {
    this.#bytesMax = bytesMax
    this.#log = log
  }

  start(): void {
    this.#timer = setInterval(() => this.#look(), EVERY_MS)
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  /** The sandboxes that a worker has now. `workerPid` keys them: a replaced worker is another one. */
  report(workerPid: number, pids: readonly number[]): void {
    this.#byWorker.set(
      workerPid,
      pids.map((pid) => ({ pid, ticks: startTicks(pid) })),
    )
  }

  /** The worker has died: its sandboxes serve nobody, and may be in an endless loop that never sees their socket close. */
  workerGone(workerPid: number): void {
    for (const watched of this.#byWorker.get(workerPid) ?? []) kill(watched)
    this.#byWorker.delete(workerPid)
  }

  pids(): readonly number[] {
    return [...this.#byWorker.values()].flat().map(({ pid }) => pid)
  }

  #look(): void {
    for (const watched of [...this.#byWorker.values()].flat()) {
      const bytes = residentBytes(watched.pid)
      if (bytes <= this.#bytesMax) continue
      this.#log.warn(
        `sandbox (pid ${watched.pid}) uses ${mebibytes(bytes)} MiB of ${mebibytes(this.#bytesMax)}: it is ended`,
      )
      kill(watched)
    }
  }
}

const mebibytes = (bytes: number) => Math.round(bytes / 1024 ** 2)

function kill({ pid, ticks }: Watched): void {
  if (ticks === undefined || startTicks(pid) !== ticks) return
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It ended by itself.
  }
}
