/**
 * Puts live what others wrote into the store of this node: the control plane of an edge, or another control plane on the same engine.
 *
 * It goes the way of every change: new versions are tried in a spare sandbox, the set is prepared on all workers and flipped. What comes
 * meanwhile goes live together, with the next one. What workers do not run is live nowhere here: the set before stays.
 */
import type { UnitSet } from '../../contract/messages.ts'
import { samePosition, type Position } from '../../contract/store.ts'
import { runKey, type UnitVersion } from '../../contract/unit.ts'
import { abridge, liveIn, versionsIn } from '../../unit/abridged-set.ts'
import type { Epochs } from '../workers/epochs.ts'
import type { LiveView } from './live-view.ts'
import type { Log } from '../log.ts'
import type { Turns } from '../turns.ts'

export interface FollowingParts {
  readonly live: LiveView
  /** Reads the live view; its epoch is another one than that of before. */
  readonly readSet: () => UnitSet
  readonly epochs: Epochs
  readonly turns: Turns
  readonly log: Log
  /** The workers that are there to try and prepare with. */
  readonly workers: () => readonly unknown[]
  /** Resolves when all workers use the certificates that the store has. These wait for no units, and are not rejected with them. */
  readonly useCertificates: () => Promise<void>
  /** What keeps a version from running, or undefined. */
  readonly tryUnit: (unit: UnitVersion) => Promise<string | undefined>
  /** After each attempt. */
  readonly onTried: () => void
}

export interface RejectedState {
  readonly log: string
  readonly id: number
  readonly problems: readonly string[]
}

/** How often something is tried where workers end meanwhile, whoever ends them. */
const ATTEMPTS_MAX = 3

export class StoreFollowing {
  readonly #parts: FollowingParts
  #position: Position
  #rejected: RejectedState | undefined
  #attempts = 0
  #isWanted = false
  #isRunning = false

  constructor(parts: FollowingParts) {
    this.#parts = parts
    this.#position = parts.live.position()
  }

  /** What all workers run. */
  get position(): Position {
    return this.#position
  }

  /** What is stored and not run. */
  get rejected(): RejectedState | undefined {
    return this.#rejected
  }

  /** A change of this node's own is live. */
  flipped(position: Position): void {
    this.#position = position
    this.#rejected = undefined
    this.#attempts = 0
    this.#parts.live.accepted(position)
  }

  /** The store has moved, or a worker is there again. */
  advanced(): void {
    this.#isWanted = true
    if (this.#isRunning) return
    this.#isRunning = true
    void this.#run()
  }

  async #run(): Promise<void> {
    const { turns, log, onTried } = this.#parts
    while (this.#isWanted) {
      await turns
        .take(async () => {
          this.#isWanted = false
          await this.#follow()
        })
        .catch((error: Error) => log.warn(`what is new in the store is not live: ${error.message}`))
      onTried()
    }
    this.#isRunning = false
  }

  async #follow(): Promise<void> {
    const { live, readSet, epochs, log, workers, useCertificates } = this.#parts
    live.useNewest()
    let position: Position
    // What comes meanwhile is not said to be live before its certificates are.
    do {
      position = live.position()
      await useCertificates()
    } while (!samePosition(live.position(), position))
    if (samePosition(position, this.#position)) return
    const problems: string[] = []
    const before = workers()
    try {
      const set = readSet()
      // Tokens and the like are no part of what runs.
      if (isSame(set, epochs.live)) return this.flipped(position)
      // That they are being replaced says nothing of the set: it is tried when one is there.
      if (before.length === 0) return live.waiting(this.#position)
      problems.push(...(await this.#tryNew(set)))
      const outcome = problems.length === 0 ? await epochs.flip(set) : undefined
      if (outcome?.kind === 'live') return this.flipped(position)
      problems.push(...(outcome?.problems ?? []))
    } catch (error) {
      problems.push((error as Error).message)
    }
    // Nor does that they ended while it was tried: it is tried again when others are there in their place.
    const after = new Set(workers())
    if (!before.every((worker) => after.has(worker)) && ++this.#attempts < ATTEMPTS_MAX)
      return live.waiting(this.#position)
    this.#attempts = 0
    this.#rejected = { log: position.log, id: position.id, problems }
    live.rejected(position, this.#position)
    log.warn(
      `position ${position.id} of the store is not run, and ${this.#position.id} stays: ${problems.join('; ')}`,
    )
  }

  /** Versions that were not live before. The control plane has tried them; this machine may be another one. */
  async #tryNew(set: UnitSet): Promise<readonly string[]> {
    const { epochs, tryUnit } = this.#parts
    const known = new Set(versionsIn(epochs.live).map(runKey))
    const problems: string[] = []
    for (const unit of liveIn(set)) {
      if (known.has(runKey(unit)) || unit.barred !== undefined) continue
      const problem = await tryUnit(unit)
      if (problem !== undefined) problems.push(problem)
    }
    return problems
  }
}

function isSame(one: UnitSet, other: UnitSet): boolean {
  const text = (set: UnitSet) => {
    const { enabled, units, lastGood, rollouts } = abridge(set, set)
    return JSON.stringify([enabled, units, lastGood, rollouts])
  }
  return one.served === other.served && text(one) === text(other)
}
