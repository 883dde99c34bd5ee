/**
 * What of the store is live: all of it, but where the newest state was rejected, or was not tried yet. Then it is the one before, also after a
 * restart: an edge that was sent what its workers do not run serves on with what they do, whenever it is killed.
 */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { samePosition, type LocalStore, type Position, type StoreView } from '../../contract/store.ts'
import type { Log } from '../log.ts'

interface Noted {
  readonly live: Position
  /** What was tried and did not go live. */
  readonly rejected?: Position
}

export class LiveView implements StoreView {
  readonly #store: LocalStore
  readonly #path: string
  readonly #log: Log
  readonly #isReplica: boolean
  #view: StoreView
  #isNoted = false
  #noted: Noted | undefined

  /**
   * `isReplica`: changes come from elsewhere, and are tried here after they are stored. What is live is noted then with each flip; else what is
   * stored was tried before, and it is noted only where it was rejected all the same.
   */
  constructor(store: LocalStore, directory: string, log: Log, isReplica: boolean) {
    this.#store = store
    this.#path = join(directory, 'live.json')
    this.#log = log
    this.#isReplica = isReplica
    this.#view = this.#atStart()
    // Also one that is killed before its first flip goes on with what it began with.
    if (isReplica) this.#note({ live: this.#view.position() })
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

  /** All workers are ready to run it. Noted before they may, so that nobody who saw it meets what was before, after a restart. */
  accepted(live: Position): void {
    if (this.#isReplica) return this.#isAsNoted(live) ? undefined : this.#note({ live })
    if (this.#isNoted) rmSync(this.#path, { force: true })
    this.#isNoted = false
  }

  /** It did not: what is live stays, and is what is read. */
  rejected(rejected: Position, live: Position): void {
    this.#note({ live, rejected })
    this.#view = this.#past(live) ?? this.#store
  }

  /** It could not be tried yet. */
  waiting(live: Position): void {
    this.#view = this.#past(live) ?? this.#store
  }

  #isAsNoted(live: Position): boolean {
    return this.#noted !== undefined && !this.#noted.rejected && samePosition(this.#noted.live, live)
  }

  #note(noted: Noted): void {
    this.#isNoted = true
    this.#noted = noted
    try {
      writeFileSync(`${this.#path}.new`, JSON.stringify(noted))
      renameSync(`${this.#path}.new`, this.#path)
    } catch (error) {
      this.#log.warn(`the next start runs what is newest, tried or not: ${(error as Error).message}`)
    }
  }

  #atStart(): StoreView {
    let noted: Noted
    try {
      noted = JSON.parse(readFileSync(this.#path, 'utf8')) as Noted
    } catch {
      return this.#store // none, or of another time
    }
    this.#isNoted = true
    const now = this.#store.position()
    const isWanted = this.#isReplica || (noted.rejected && samePosition(noted.rejected, now))
    return (isWanted && !samePosition(noted.live, now) && this.#past(noted.live)) || this.#store
  }

  /** Undefined where it is not kept any more: after a snapshot, say. */
  #past(live: Position): StoreView | undefined {
    try {
      const past = this.#store.at(live.id)
      return samePosition(past.position(), live) ? past : undefined
    } catch {
      return undefined
    }
  }
}
