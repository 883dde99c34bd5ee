/**
 * The memory in which limits count: a file for each limit, made here, mapped by every worker, and kept as long as the limit is what it was.
 *
 * A worker that dies loses no count, and one that takes its place goes on. What shapes the state (the algorithm, its window, the key, prefix
 * lengths, sizes) is a part of a limit's identity: where that changes, counting begins anew; another rate or burst goes on with what is there.
 * A program that takes over by `orla upgrade` inherits the files, so both count as one while both serve.
 */
import { createHash, randomBytes } from 'node:crypto'
import { statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { EdgeError } from '../../base/errors.ts'
import { machineNow } from '../../base/machine-clock.ts'
import {
  createSharedWords,
  inheritSharedWords,
  roomForWords,
  type SharedWords,
} from '../../base/shared-words.ts'
import { siteName } from '../../config/site-name.ts'
import type { ConcurrencyLimitConfig, LimitConfig, RateLimitConfig, SiteConfig } from '../../config/schema.ts'
import { ALL_SITES, type ServedLimit } from '../../contract/limits.ts'
import type { UnitSet } from '../../contract/messages.ts'
import { limiterPlanOf } from '../../limit/configured-plan.ts'
import { forgetInFlight, IN_FLIGHT_SEED_BYTES, inFlightWords, layInFlight } from '../../limit/in-flight.ts'
import {
  forgetWorker,
  layoutOf,
  layRegion,
  type LimiterPlan,
  regionIdentity,
  regionWords,
  SEED_BYTES,
} from '../../limit/region.ts'
import { statedError } from '../../limit/sketch-error.ts'
import { keysInUse } from '../../limit/table.ts'
import type { LimitsEstate } from '../handover/messages.ts'
import type { Log } from '../log.ts'

interface Region {
  readonly shared: SharedWords
  /** A worker of this program has died. */
  forget(worker: number): void
  keysInUse(): number | undefined
}

/** What a region is made by. */
interface Shape {
  readonly words: number
  /** For the operator, when it is made. */
  readonly says?: string | undefined
  lay(words: Int32Array): void
  forget(words: Int32Array, worker: number): void
  keysInUse?(words: Int32Array): number | undefined
}

/** By its number it is known in a region who holds a lock: 0 to 1021, half of them for each of two programs. */
const WORKERS_MAX = 511

export class LimitRegions {
  readonly #log: Log
  readonly #room: () => number
  readonly #workers: number
  readonly #turn: number
  readonly #inherited: Map<string, string>
  readonly #regions = new Map<string, Region>()

  /** `workers`: of this program, at once. `before`: what the program before leaves. `room`: bytes that there are in memory for files. */
  constructor(log: Log, workers: number, before?: LimitsEstate, room: () => number = roomForWords) {
    this.#log = log
    this.#workers = workers
    this.#room = room
    this.#turn = before === undefined ? 0 : 1 - before.turn
    this.#inherited = new Map(before?.regions)
  }

  /** The number of a worker in all regions. */
  numberOf(worker: number): number {
    return this.#turn * WORKERS_MAX + (worker % WORKERS_MAX)
  }

  /** What workers are told of these limits. Makes the regions that are not there yet. */
  serve(limits: readonly LimitConfig[], sites: readonly SiteConfig[]): readonly ServedLimit[] {
    return [
      ...limits.map((config) => this.#serve(ALL_SITES, config)),
      ...sites.flatMap((site) => site.limits.map((config) => this.#serve(siteName(site), config))),
    ]
  }

  #serve(site: string, config: LimitConfig): ServedLimit {
    switch (config.kind) {
      case 'rate': {
        const { id, path } = this.region(site, config)
        return { id, site, config, path }
      }
      case 'concurrency': {
        const { id, path } = this.#inFlightRegion(site, config)
        return { id, site, config, path }
      }
      case 'bandwidth':
        return { id: `${site}/${config.name}`, site, config }
    }
  }

  /** The region of a rate limit, by whose it is and what it says. */
  region(owner: string, config: RateLimitConfig): { readonly id: string; readonly path: string } {
    const plan = limiterPlanOf(config)
    const id = `${owner}/${config.name}/${shapeOf(config, plan)}`
    return this.#have(id, limitText(owner, config.name), {
      words: wordsOf(owner, config.name, plan),
      says: plan.store === 'sketch' ? `counts in ${statedError(plan)}` : undefined,
      lay: (words) => layRegion(words, plan, randomBytes(SEED_BYTES)),
      forget: (words, worker) => forgetWorker(words, this.numberOf(worker)),
      keysInUse(words) {
        const { table, tableAt, levels } = layoutOf(plan)
        const algorithms = levels.map(({ algorithm }) => algorithm)
        return table && keysInUse(words, tableAt, table, algorithms, machineNow())
      },
    })
  }

  /** A program that takes over counts what is under way in itself: what the one before still has to answer ends with that. */
  #inFlightRegion(
    owner: string,
    config: ConcurrencyLimitConfig,
  ): { readonly id: string; readonly path: string } {
    const { name, keysMax, key } = config
    const plan = { keysMax, workers: this.#workers }
    const id = `${owner}/${name}/${digestOf(['in flight', process.pid, key, plan])}`
    return this.#have(id, limitText(owner, name), {
      words: inFlightWords(plan),
      lay: (words) => layInFlight(words, randomBytes(IN_FLIGHT_SEED_BYTES)),
      forget: (words, worker) => forgetInFlight(words, plan, worker),
    })
  }

  #have(id: string, what: string, shape: Shape): { readonly id: string; readonly path: string } {
    const region = this.#regions.get(id) ?? this.#make(id, what, shape)
    this.#regions.set(id, region)
    return { id, path: region.shared.path }
  }

  #make(id: string, what: string, { words, says, lay, forget, keysInUse }: Shape): Region {
    if (says !== undefined) this.#log.info(`${what} ${says}`)
    const before = this.#inherited.get(id)
    this.#inherited.delete(id)
    const region = (shared: SharedWords): Region => ({
      shared,
      forget: (worker) => forget(shared.words, worker),
      keysInUse: () => keysInUse?.(shared.words),
    })
    const kept = before === undefined ? undefined : inheritSharedWords(before, words)
    if (kept !== undefined) return region(kept)
    const shared = this.#hasRoom(words * WORD_BYTES) ? createSharedWords(words) : this.#onDisk(what, words)
    lay(shared.words)
    return region(shared)
  }

  /** A file takes memory as it is written to: what others have not taken yet is promised to them. */
  #hasRoom(bytes: number): boolean {
    const room = this.#room() - bytes
    const all = [...this.#regions.values()].map(({ shared }) => shared)
    const most = all.reduce((sum, { words }) => sum + words.byteLength, 0)
    if (most <= room) return true
    const promised = all.reduce((sum, { path }) => {
      // Somebody may have removed it; those who have it mapped keep it.
      const file = statSync(path, { throwIfNoEntry: false })
      return file === undefined ? sum : sum + file.size - file.blocks * BLOCK_BYTES
    }, 0)
    return promised <= room
  }

  /** Beyond the room there, a write would end the process: in most containers that are 64 MiB. */
  #onDisk(what: string, words: number): SharedWords {
    const mib = Math.ceil((words * WORD_BYTES) / 2 ** 20)
    this.#log.warn(
      `${what} counts in a file in ${tmpdir()}, as there is no room for its ${mib} MiB in /dev/shm: give that more (of a container with --shm-size), or the limit smaller \`keysMax\` and \`sketch\``,
    )
    return createSharedWords(words, tmpdir())
  }

  /** Throws where one of these limits cannot be. Makes nothing. */
  check(limits: readonly LimitConfig[], sites: readonly SiteConfig[]): void {
    for (const config of limits) checkLimit(ALL_SITES, config)
    for (const site of sites) for (const config of site.limits) checkLimit(siteName(site), config)
  }

  /** This set is live: regions of others are let go. Workers that still answer requests with one have it mapped as long as they need it. */
  keep({ served }: Pick<UnitSet, 'served'>): void {
    this.#letGo(new Set(served?.limiters?.map(({ id }) => id)))
  }

  #letGo(kept: ReadonlySet<string>): void {
    for (const [id, { shared }] of this.#regions) {
      if (kept.has(id)) continue
      shared.unlink()
      this.#regions.delete(id)
    }
  }

  /** A worker has ended, wherever it was: what it had locked is free again. */
  workerGone(worker: number): void {
    for (const region of this.#regions.values()) region.forget(worker)
  }

  /** Keys of a limit that have something used up now; undefined where they have no places of their own. */
  keysOf({ id }: ServedLimit): number | undefined {
    return this.#regions.get(id)?.keysInUse()
  }

  /** For a program that takes over. */
  get estate(): LimitsEstate {
    return {
      turn: this.#turn,
      regions: Array.from(this.#regions, ([id, { shared }]) => [id, shared.path] as const),
    }
  }

  close(): void {
    this.#letGo(new Set())
  }
}

const WORD_BYTES = Int32Array.BYTES_PER_ELEMENT
/** What `stat` counts in. */
const BLOCK_BYTES = 512

function checkLimit(owner: string, config: LimitConfig): void {
  if (config.kind === 'rate') wordsOf(owner, config.name, limiterPlanOf(config))
}

/** Throws where it cannot be. */
function wordsOf(owner: string, name: string, plan: LimiterPlan): number {
  try {
    return regionWords(plan)
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw new EdgeError('config-invalid', `${limitText(owner, name)}: ${error.message}`, { cause: error })
  }
}

const limitText = (owner: string, name: string): string =>
  owner === ALL_SITES ? `the limit ${name}` : `the limit ${name} of the site ${owner}`

/** What shapes a state: where this is the same, it may be gone on with. */
function shapeOf({ key }: RateLimitConfig, plan: LimiterPlan): string {
  return digestOf([regionIdentity(plan), key])
}

const digestOf = (shape: unknown): string =>
  createHash('sha256').update(JSON.stringify(shape)).digest('hex').slice(0, 16)
