/**
 * The disks of simulated nodes: real stores in real files. A process that is killed leaves its files as they are at that moment, and the next
 * one opens those.
 *
 * Opening a file takes a hundred times as long as writing an entry, so one that was not lost is wiped and used for the next run.
 */
import { cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../src/base/clock.ts'
import { GENESIS } from '../../src/store/chain.ts'
import { openStore, type SqliteStore } from '../../src/store/sqlite-store.ts'

export interface Disk {
  readonly directory: string
  readonly store: SqliteStore
}

/** Memory as a file system, where there is one: a simulated disk needs no real one. */
const SHARED_MEMORY = '/dev/shm'

/** Files that a program has beside its store. */
const ASIDE = ['rejected.json', 'live.json', 'edges.json']

export class Disks {
  readonly #root = mkdtempSync(join(existsSync(SHARED_MEMORY) ? SHARED_MEMORY : tmpdir(), 'orla-simulation-'))
  readonly #free: Disk[] = []
  #made = 0

  /** An empty one, with a log of that name. */
  take(log: string): Disk {
    const disk = this.#free.pop() ?? this.#open(join(this.#root, String(this.#made++)))
    for (const name of ASIDE) rmSync(join(disk.directory, name), { force: true })
    disk.store.load({ log, id: 0, hash: GENESIS }, undefined).commit()
    return disk
  }

  /** What a process finds after the one before was killed. */
  killed({ directory, store }: Disk): Disk {
    const next = join(this.#root, String(this.#made++))
    // Without the lock, which went with the process.
    const isKept = (path: string) => !/orla\.(?:lock|pid)$|-shm$/.test(path)
    cpSync(directory, next, { recursive: true, filter: isKept })
    store.close()
    rmSync(directory, { recursive: true })
    return this.#open(next)
  }

  giveBack(disk: Disk): void {
    this.#free.push(disk)
  }

  close(): void {
    for (const { store } of this.#free) store.close()
    rmSync(this.#root, { recursive: true, force: true })
  }

  #open(directory: string): Disk {
    return { directory, store: openStore(directory, { clock: systemClock }) }
  }
}
