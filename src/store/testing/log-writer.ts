import assert from 'node:assert/strict'
import type { SharedLog } from '../../contract/shared-log.ts'
import type { Effect, LogEntry, Position } from '../../contract/store.ts'
import { chain, follow } from '../chain.ts'

/** A writer as a control plane is one: it plans behind the head that it knows, and reads on where another was faster. */
export class LogWriter {
  readonly log: SharedLog
  position: Position
  readonly entries: LogEntry[] = []

  constructor(log: SharedLog, position: Position) {
    this.log = log
    this.position = position
  }

  static async at(log: SharedLog): Promise<LogWriter> {
    return new LogWriter(log, await log.head())
  }

  async append(effects: readonly Effect[]): Promise<Position> {
    for (;;) {
      const entries = chain(this.position, effects, Date.now())
      if ((await this.log.append(this.position, entries)) === 'appended') return this.apply(entries)
      await this.catchUp()
    }
  }

  /** Reads to the end. What does not follow without a gap throws. */
  async catchUp(limit = 500): Promise<void> {
    for (;;) {
      const page = await this.log.read(this.position, limit)
      assert.notEqual(page, 'reset')
      if (page.length === 0) return
      assert.ok(page.length <= limit)
      this.apply(page as readonly LogEntry[])
    }
  }

  private apply(entries: readonly LogEntry[]): Position {
    this.position = follow(this.position, entries)
    this.entries.push(...entries)
    return this.position
  }
}

/** The state that entries add up to, on top of what was there. */
export function replay(entries: readonly LogEntry[], onto: Iterable<readonly [string, string]> = []) {
  const state = new Map(onto)
  for (const { operation, key, value } of entries) {
    if (operation === 'SET') state.set(key, value)
    else state.delete(key)
  }
  return state
}
