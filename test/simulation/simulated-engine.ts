/**
 * An engine at a place of its own, which several control planes ask over the network. What it does is done at once and durable; whether the
 * answer gets back is another matter.
 */
import { EdgeError } from '../../src/base/errors.ts'
import type { SharedLog } from '../../src/contract/shared-log.ts'
import type { LogEntry, Store } from '../../src/contract/store.ts'
import { embeddedLog } from '../../src/store/engines/embedded.ts'
import type { Disk } from './disks.ts'
import { ConnectionBroken, type Network } from './network.ts'

export const ENGINE = 'engine'
const ANSWER_MAX_MS = 4_000
/** A connection that broke is opened again so often. */
const ATTEMPTS_MAX = 3

/** All that was ever appended, also what was let go of since. */
export class Tape {
  readonly entries: LogEntry[] = []

  take(store: Store): void {
    const last = this.entries.at(-1)?.id ?? 0
    for (const entry of store.read(last, Number.MAX_SAFE_INTEGER)) this.entries.push(entry)
  }
}

export class SimulatedEngine {
  readonly disk: Disk
  readonly tape: Tape
  readonly #network: Network
  readonly #log: SharedLog

  constructor(network: Network, disk: Disk) {
    this.#network = network
    this.disk = disk
    this.tape = new Tape()
    this.#log = embeddedLog(disk.store, () => this.tape.take(disk.store))
    network.enter(ENGINE)
  }

  /** As it is asked from there. */
  log(place: string): SharedLog {
    const log = this.#log
    const ask = <T>(serve: () => Promise<T>) => this.#ask(place, serve)
    return {
      head: () => ask(() => log.head()),
      append: (expected, entries) => ask(() => log.append(expected, entries)),
      // Fewer than were asked for, as where they are large.
      read: (after, limit) => ask(() => log.read(after, Math.min(limit, 1 + this.#network.random.below(8)))),
      snapshot: () => ask(() => log.snapshot()),
      replace: (expected, snapshot) => ask(() => log.replace(expected, snapshot)),
      trim: (id) => ask(() => log.trim(id)),
      watch: (onChange) =>
        log.watch(() => {
          // One that is lost is made up for when the watch is opened again.
          const delayMs = this.#network.chance('request') ? 3000 : this.#network.delayMs()
          this.#network.send(ENGINE, place, onChange, delayMs)
        }),
    }
  }

  /** Another server goes on, which had not got the last entries: what was acknowledged is lost here. */
  lose(entries: number): void {
    const { store } = this.disk
    const past = store.at(Math.max(store.base().id, store.position().id - entries))
    const load = store.load(past.position(), undefined)
    load.add(past.list(''))
    load.commit()
    this.tape.entries.length = past.position().id
  }

  /** Lets go of all but the last entries. */
  trim(keep: number): void {
    const { store } = this.disk
    store.rotate(Math.max(0, store.position().id - keep))
  }

  async #ask<T>(place: string, serve: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#network.request(place, ENGINE, serve, ANSWER_MAX_MS)
      } catch (error) {
        if (error instanceof ConnectionBroken && attempt < ATTEMPTS_MAX) continue
        if (error instanceof EdgeError && error.code !== 'control-unreachable') throw error
        throw new EdgeError('store-unavailable', `the engine: ${(error as Error).message}`, { cause: error })
      }
    }
  }
}
