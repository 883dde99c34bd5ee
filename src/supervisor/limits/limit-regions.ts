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
import {
  createSharedWords,
  inheritSharedWords,
  roomForWords,
  type SharedWords,
} from '../../base/shared-words.ts'
import { siteName } from '../../config/site-name.ts'
import type { LimitConfig, RateLimitConfig, SiteConfig } from '../../config/schema.ts'
import { ALL_SITES, type ServedLimit } from '../../contract/limits.ts'
import type { UnitSet } from '../../contract/messages.ts'
import { limiterPlanOf } from '../../limit/configured-plan.ts'
import {
  forgetWorker,
  layRegion,
  type LimiterPlan,
  regionIdentity,
  regionWords,
  SEED_BYTES,
} from '../../limit/region.ts'
import type { LimitsEstate } from '../handover/messages.ts'
import type { Log } from '../log.ts'

interface Region {
  readonly plan: LimiterPlan
  readonly shared: SharedWords
}

/** By its number it is known in a region who holds a lock: 0 to 1021, half of them for each of two programs. */
const WORKERS_MAX = 511

export class LimitRegions {
  readonly #log: Log
  readonly #turn: number
  readonly #inherited: Map<string, string>
  readonly #regions = new Map<string, Region>()

  constructor(log: Log, before?: LimitsEstate) {
    this.#log = log
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
    if (config.kind !== 'rate') return { id: `${site}/${config.name}`, site, config }
    const { id, path } = this.region(site, config)
    return { id, site, config, path }
  }

  /** The region of a rate limit, by whose it is and what it says. */
  region(owner: string, config: RateLimitConfig): { readonly id: string; readonly path: string } {
    const plan = limiterPlanOf(config)
    const id = `${owner}/${config.name}/${shapeOf(config, plan)}`
    const region = this.#regions.get(id) ?? this.#make(id, owner, config.name, plan)
    this.#regions.set(id, region)
    return { id, path: region.shared.path }
  }

  #make(id: string, owner: string, name: string, plan: LimiterPlan): Region {
    const words = wordsOf(owner, name, plan)
    const before = this.#inherited.get(id)
    this.#inherited.delete(id)
    const kept = before === undefined ? undefined : inheritSharedWords(before, words)
    if (kept !== undefined) return { plan, shared: kept }
    const shared = this.#hasRoom(words * WORD_BYTES)
      ? createSharedWords(words)
      : this.#onDisk(owner, name, words)
    layRegion(shared.words, plan, randomBytes(SEED_BYTES))
    return { plan, shared }
  }

  /** A file takes memory as it is written to: what others have not taken yet is promised to them. */
  #hasRoom(bytes: number): boolean {
    let promised = 0
    for (const { shared } of this.#regions.values()) {
      const { size, blocks } = statSync(shared.path)
      promised += size - blocks * BLOCK_BYTES
    }
    return roomForWords() >= promised + bytes
  }

  /** Beyond the room there, a write would end the process: in most containers that are 64 MiB. */
  #onDisk(owner: string, name: string, words: number): SharedWords {
    const mib = Math.ceil((words * WORD_BYTES) / 2 ** 20)
    this.#log.warn(
      `${limitText(owner, name)} counts in a file in ${tmpdir()}, as there is no room for its ${mib} MiB in /dev/shm: give that more (of a container with --shm-size), or the limit smaller \`keysMax\` and \`sketch\``,
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
    for (const { shared } of this.#regions.values()) forgetWorker(shared.words, this.numberOf(worker))
  }

  /** Keys that have a place of their own in a limit's region; undefined where there is no such thing. */
  keysOf(_limit: ServedLimit): number | undefined {
    return undefined
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
  const shape = JSON.stringify([regionIdentity(plan), key])
  return createHash('sha256').update(shape).digest('hex').slice(0, 16)
}
