/**
 * Tells who watches a log that it has changed: by a message on a channel, and by a look at the head from time to time, for messages are
 * lost with connections. A Cluster passes messages on, so any server will do, and one connection serves all logs.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { backOffMs } from '../../../base/back-off.ts'
import type { Connections } from './connections.ts'
import type { Router } from './router.ts'

export interface ChangeWatchOptions {
  readonly channel: string
  readonly timeoutMs: number
  /** Between two looks at the heads of logs that are watched. */
  readonly pollMs: number
  /** Any text that changes with the log. */
  readonly look: (log: string) => Promise<string>
}

const BACK_OFF = { firstMs: 50, maxMs: 5000 }

export class ChangeWatch {
  readonly #connections: Connections
  readonly #router: Router
  readonly #options: ChangeWatchOptions
  readonly #watchers = new Map<string, Set<() => void>>()
  readonly #seen = new Map<string, string>()
  readonly #closing = new AbortController()
  #isStarted = false

  constructor(connections: Connections, router: Router, options: ChangeWatchOptions) {
    this.#connections = connections
    this.#router = router
    this.#options = options
  }

  watch(log: string, onChange: () => void): () => void {
    // Whoever watches twice with one function stops each by itself.
    const watcher = () => onChange()
    const watchers = this.#watchers.get(log) ?? new Set()
    this.#watchers.set(log, watchers.add(watcher))
    if (!this.#isStarted) {
      this.#isStarted = true
      void this.#listen()
      void this.#poll()
    }
    return () => {
      watchers.delete(watcher)
    }
  }

  close(): void {
    this.#closing.abort()
    this.#watchers.clear()
  }

  #tell(log: string): void {
    for (const watcher of this.#watchers.get(log) ?? []) watcher()
  }

  /** Subscribes, and does so again elsewhere when the connection ends. */
  async #listen(): Promise<void> {
    const { channel, timeoutMs } = this.#options
    let failures = 0
    while (!this.#closing.signal.aborted) {
      try {
        const connection = await this.#connections.to(this.#router.any, 'subscribe', timeoutMs)
        await connection.subscribe(channel, (log) => this.#tell(log), timeoutMs)
        failures = 0
        // What was published before is not told again.
        for (const log of this.#watchers.keys()) this.#tell(log)
        await connection.ended
      } catch {
        // The look at the heads goes on, and whoever asks is told what is wrong.
      }
      this.#router.turnToNext()
      await this.#pause(backOffMs(++failures, Math.random, BACK_OFF))
    }
  }

  async #poll(): Promise<void> {
    while (!this.#closing.signal.aborted) {
      await this.#pause(this.#options.pollMs)
      await Promise.all(
        [...this.#watchers].filter(([, { size }]) => size > 0).map(([log]) => this.#check(log)),
      )
    }
  }

  async #check(log: string): Promise<void> {
    try {
      const seen = await this.#options.look(log)
      if (this.#seen.get(log) === seen) return
      this.#seen.set(log, seen)
      this.#tell(log)
    } catch {
      // The next look is soon.
    }
  }

  async #pause(ms: number): Promise<void> {
    await pause(ms, undefined, { signal: this.#closing.signal, ref: false }).catch(() => {})
  }
}
