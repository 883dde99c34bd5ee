/** Asks a node again and again, over a connection that it keeps and over new ones, and remembers what it saw when. */
import assert from 'node:assert/strict'
import { Agent } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { ask } from './http-client.ts'
import type { Acknowledged } from './publisher.ts'

interface Seen {
  readonly text: string
  readonly startedMs: number
  readonly endedMs: number
}

export interface Failure {
  readonly atMs: number
  /** A status, or what became of the connection. */
  readonly what: string
}

const EVERY_MS = 10

export class Watcher {
  readonly name: string
  readonly seen: Seen[] = []
  readonly failures: Failure[] = []
  readonly #url: string
  #isStopped = false

  constructor(name: string, url: string) {
    this.name = name
    this.#url = url
  }

  stop(): void {
    this.#isStopped = true
  }

  async run(): Promise<void> {
    const kept = new Agent({ keepAlive: true, maxSockets: 1 })
    await Promise.all([this.#lane(kept), this.#lane(undefined)])
    kept.destroy()
  }

  async #lane(agent: Agent | undefined): Promise<void> {
    while (!this.#isStopped) {
      const startedMs = performance.now()
      const outcome = await ask(`${this.#url}/`, { ...(agent && { agent }), timeoutMs: 10_000 }).then(
        ({ status, text }) => ({ status, text }),
        (error: Error & { code?: string }) => ({ status: 0, text: error.code ?? error.message }),
      )
      const endedMs = performance.now()
      if (outcome.status === 200) this.seen.push({ text: outcome.text, startedMs, endedMs })
      else
        this.failures.push({ atMs: endedMs, what: outcome.status === 0 ? outcome.text : `${outcome.status}` })
      await sleep(EVERY_MS)
    }
  }

  /**
   * What was live one after the other is `history`: nothing was seen that was not, nothing older after something newer, and, of what all
   * nodes were said to run, nothing older once that was said.
   */
  assertForward(history: readonly string[], everywhere: readonly Acknowledged[]): void {
    /** From when on nothing before an index may be seen. */
    const floors: { readonly fromMs: number; readonly index: number }[] = everywhere.map(
      ({ text, atMs }) => ({
        fromMs: atMs,
        index: history.indexOf(text),
      }),
    )
    for (const { text, startedMs, endedMs } of this.seen.toSorted((a, b) => a.startedMs - b.startedMs)) {
      let least = 0
      for (const { fromMs, index } of floors) if (fromMs < startedMs && index > least) least = index
      const index = history.indexOf(text, least)
      assert.ok(
        index >= 0,
        `${this.name} answered ${text} (${history.indexOf(text)}) when ${history[least]} (${least}) had been seen, of ${history.length}`,
      )
      floors.push({ fromMs: endedMs, index })
    }
  }
}
