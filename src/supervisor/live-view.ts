/**
 * What of the store is live: all of it, but where the newest state was rejected. Then it is the one before, also after a restart: an edge that
 * was sent what its workers do not run serves on with what they do.
 */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { LocalStore, Position, StoreView } from '../contract/store.ts'
import type { Log } from './log.ts'

interface Rejection {
  /** What was rejected. */
  readonly rejected: Position
  /** What is live instead. */
  readonly live: number
}

export class LiveView implements StoreView {
  readonly #store: LocalStore
  readonly #path: string
  readonly #log: Log
  #view: StoreView
  #isRejected = false

  constructor(store: LocalStore, directory: string, log: Log) {
    this.#store = store
    this.#path = join(directory, 'rejected.json')
    this.#log = log
    this.#view = this.#atStart()
  }

  position(): Position {
    return this.#view.position()
  }

  get(key: string): string | undefined {
    return this.#view.get(key)
  }

  list(prefix: string): readonly (readonly [string, string])[] {
    return this.#view.list(prefix)
  }

  /** The newest is read, to be tried. */
  useNewest(): void {
    this.#view = this.#store
  }

  /** It went live. */
  accepted(): void {
    if (this.#isRejected) rmSync(this.#path, { force: true })
    this.#isRejected = false
  }

  /** It did not: what is live stays. */
  rejected(rejected: Position, live: number): void {
    this.#isRejected = true
    try {
      writeFileSync(`${this.#path}.new`, JSON.stringify({ rejected, live } satisfies Rejection))
      renameSync(`${this.#path}.new`, this.#path)
    } catch (error) {
      this.#log.warn(`what was rejected is tried again at the next start: ${(error as Error).message}`)
    }
  }

  #atStart(): StoreView {
    try {
      const { rejected, live } = JSON.parse(readFileSync(this.#path, 'utf8')) as Rejection
      const now = this.#store.position()
      if (now.id !== rejected.id || now.hash !== rejected.hash) return this.#store
      this.#isRejected = true
      return this.#store.at(live)
    } catch {
      // None, or of another time: the newest is tried.
      return this.#store
    }
  }
}
