/** Writers that go on while servers of an engine fail, and what has to hold afterwards: all that was acknowledged is there. */
import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import { EdgeError } from '../../src/base/errors.ts'
import type { SharedLog } from '../../src/contract/shared-log.ts'
import type { Effect, LogEntry, Position } from '../../src/contract/store.ts'
import { chain, follow, GENESIS } from '../../src/store/chain.ts'
import { LogWriter, replay } from '../../src/store/testing/log-writer.ts'
import { eventually } from './eventually.ts'

const set = (key: string, value = 'x'): Effect => ({ operation: 'SET', key, value })

/** Appends as a control plane does while servers fail: it asks again with the same entries, and starts anew where the log is another. */
export class RelentlessWriter {
  readonly acknowledged: Position[] = []
  readonly #log: SharedLog
  readonly #name: string
  readonly #value: string
  #position: Position | undefined
  #isStopped = false

  constructor(log: SharedLog, name: string, value = 'x') {
    this.#log = log
    this.#name = name
    this.#value = value
  }

  stop(): void {
    this.#isStopped = true
  }

  async run(): Promise<void> {
    for (let n = 0; !this.#isStopped; n++)
      await this.#append([set(`${this.#name}-${n}`, this.#value), set('last', `${n}`)])
  }

  async #append(effects: readonly Effect[]): Promise<void> {
    for (;;) {
      const position = (this.#position ??= await untilAnswered(() => this.#log.head()))
      const entries = chain(position, effects, 1)
      const outcome = await untilAnswered(() => this.#log.append(position, entries))
      if (outcome === 'appended') {
        this.#position = follow(position, entries)
        this.acknowledged.push(this.#position)
        return
      }
      const page = await untilAnswered(() => this.#log.read(position, 500))
      // What was read and never acknowledged may be gone with a master.
      this.#position = page === 'reset' ? undefined : followed(position, page)
    }
  }
}

/** Undefined where an entry came disturbed: the chain shows it. */
function followed(position: Position, entries: readonly LogEntry[]): Position | undefined {
  try {
    return follow(position, entries)
  } catch {
    return undefined
  }
}

export async function untilAnswered<T>(ask: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await ask()
    } catch (error) {
      if (!(error instanceof EdgeError && error.code === 'store-unavailable')) throw error
      // An engine that was closed refuses at once, for ever.
      await pause(5)
    }
  }
}

export async function everything(log: SharedLog): Promise<readonly LogEntry[]> {
  const { log: name } = await log.head()
  const reader = new LogWriter(log, { log: name, id: 0, hash: GENESIS })
  await reader.catchUp()
  return reader.entries
}

/** All that was acknowledged stands in the log, where it was said to stand. */
export async function assertKept(log: SharedLog, writers: readonly RelentlessWriter[]): Promise<void> {
  const entries = await everything(log)
  const positions = writers.flatMap(({ acknowledged }) => acknowledged)
  for (const { id, hash } of positions) assert.equal(entries[id - 1]?.hash, hash, `entry ${id} is not there`)
  assert.equal(new Set(positions.map(({ id }) => id)).size, positions.length)
  const snapshot = await log.snapshot()
  assert.deepEqual(new Map([...snapshot.entries].toSorted()), new Map([...replay(entries)].toSorted()))
}

/** Two writers, for as long as the work takes and a while behind it. */
export async function underWrites(
  logs: readonly SharedLog[],
  work: (writers: readonly RelentlessWriter[]) => Promise<void>,
) {
  const writers = logs.map((log, n) => new RelentlessWriter(log, `w${n}`))
  const stop = () => {
    for (const writer of writers) writer.stop()
  }
  // One that fails stops the others: they would go on for ever.
  const running = Promise.all(writers.map((writer) => writer.run().finally(stop)))
  running.catch(() => {})
  try {
    await work(writers)
  } finally {
    stop()
    await running
  }
  return writers
}

/** Waits until each writer was told so many more times that something is stored. */
export async function progress(writers: readonly RelentlessWriter[], count: number): Promise<void> {
  const before = writers.map(({ acknowledged }) => acknowledged.length)
  await eventually(() => writers.every(({ acknowledged }, n) => acknowledged.length >= before[n]! + count))
}
