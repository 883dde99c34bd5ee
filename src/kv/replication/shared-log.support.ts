/** A log that several control planes share, in memory: for simulations of what an engine may do to whoever uses it. */
import { EdgeError } from '../../base/errors.ts'
import type { SharedLog } from '../../contract/shared-log.ts'
import type { LogEntry, Position, Snapshot } from '../../contract/store.ts'
import { follow, GENESIS } from '../../store/chain.ts'

export interface MemoryLogOptions {
  readonly name: string
  /** Passes before an answer comes, or what was asked arrives. */
  readonly delay: () => Promise<void>
  /** Whether what is asked now, or its answer, is lost. */
  readonly isLost: () => boolean
}

export class MemoryLog implements SharedLog {
  readonly entries: LogEntry[] = []
  readonly #options: MemoryLogOptions
  readonly #watchers = new Set<() => void>()
  /** What the entries come after. */
  #base: Snapshot
  #trimmed = 0

  constructor(options: MemoryLogOptions) {
    this.#options = options
    this.#base = { position: { log: options.name, id: 0, hash: GENESIS }, entries: new Map() }
  }

  get #end(): Position {
    return this.#at(this.#base.position.id + this.entries.length)
  }

  #at(id: number): Position {
    const { position } = this.#base
    const hash = id === position.id ? position.hash : this.entries[id - position.id - 1]?.hash
    return { log: position.log, id, hash: hash ?? '' }
  }

  async head(): Promise<Position> {
    return this.#asked(() => this.#end)
  }

  async append(expected: Position, entries: readonly LogEntry[]): Promise<'appended' | 'conflict'> {
    return this.#asked(() => {
      if (!this.#endsAt(expected)) return 'conflict'
      follow(expected, entries)
      this.entries.push(...entries)
      for (const onChange of this.#watchers) void this.#options.delay().then(onChange)
      return 'appended'
    })
  }

  async read(after: Position, limit: number): Promise<readonly LogEntry[] | 'reset'> {
    return this.#asked(() => {
      const here = this.#at(after.id)
      if (after.log !== here.log || after.hash !== here.hash || after.id < this.#trimmed) return 'reset'
      const from = after.id - this.#base.position.id
      return this.entries.slice(from, from + limit)
    })
  }

  async snapshot(): Promise<Snapshot> {
    return this.#asked(() => {
      const entries = new Map(this.#base.entries)
      for (const { operation, key, value } of this.entries) {
        if (operation === 'SET') entries.set(key, value)
        else entries.delete(key)
      }
      return { position: this.#end, entries }
    })
  }

  async replace(expected: Position, snapshot: Snapshot): Promise<'replaced' | 'conflict'> {
    return this.#asked(() => {
      if (!this.#endsAt(expected)) return 'conflict'
      this.#base = snapshot
      this.#trimmed = snapshot.position.id
      this.entries.length = 0
      return 'replaced'
    })
  }

  /** As a server that takes over, and had not everything. */
  lose(count: number): void {
    this.entries.length -= count
  }

  async trim(id: number): Promise<void> {
    this.#trimmed = Math.min(id, this.#end.id)
  }

  watch(onChange: () => void): () => void {
    this.#watchers.add(onChange)
    return () => void this.#watchers.delete(onChange)
  }

  #endsAt({ id, hash }: Position): boolean {
    const end = this.#end
    return end.id === id && end.hash === hash
  }

  async #asked<T>(act: () => T): Promise<T> {
    const { delay, isLost } = this.#options
    await delay()
    if (isLost()) throw new EdgeError('store-unavailable', 'the request was lost')
    const answer = act()
    await delay()
    if (isLost()) throw new EdgeError('store-unavailable', 'the answer was lost')
    return answer
  }
}
