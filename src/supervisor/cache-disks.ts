/**
 * The caches' tiers on disk, as the supervisor has them: the thread of their keeper, which tiers there are to be, what is purged in them.
 *
 * A thread that ends is started anew; until then workers do without. Without a tier there is no thread.
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { isShared } from '../config/shared-cache.ts'
import { siteName } from '../config/site-name.ts'
import type { Config, SiteConfig } from '../config/schema.ts'
import type { DiskPurge, DiskTierPlan } from '../contract/disk-tier.ts'
import type { MetricSample, Served } from '../contract/messages.ts'
import { isWhole, type NumberedPurge, type Purge, type PurgedTier, type PurgedTo } from '../contract/purge.ts'
import type { FromKeeperThread, KeeperStart, ToKeeperThread } from '../disk/keeper-messages.ts'
import { planTiers, SHARED_TIER, tierOfSite } from '../disk/plans.ts'
import type { TierState } from '../disk/tier-state.ts'
import type { Log } from './log.ts'

const RESTART_FIRST_MS = 100
const RESTART_MAX_MS = 10_000
const STATES_EVERY_MS = 1_000
const CLOSE_MAX_MS = 5_000
/** Below the data directory: what lies in it is the cache's alone, and no part of a backup. */
const FOLDER = 'cache'
const REACHED_FILE = 'purged-to.json'
const REACHED_EVERY_MS = 1_000

export interface CacheDisksParts {
  /** The data directory. */
  readonly directory: string
  readonly config: Config
  readonly log: Log
  /** Of the shared words: in a folder where nobody else may look, and which goes with this program. */
  readonly shared: { readonly path: string }
}

/** One purge in one tier, or in all of them. */
interface TierPurge {
  readonly purges: readonly DiskPurge[]
  readonly tier: string
}

export class CacheDisks implements PurgedTier {
  readonly purgedTo: PurgedTo | undefined
  readonly #parts: CacheDisksParts
  readonly #folder: string
  readonly #socket: string
  #sites: readonly SiteConfig[] = []
  #plans: readonly DiskTierPlan[] = []
  #thread: Worker | undefined
  #states: readonly TierState[] = []
  #isStopped = true
  #restartMs = RESTART_FIRST_MS
  #restartTimer: NodeJS.Timeout | undefined
  #statesTimer: NodeJS.Timeout | undefined
  #purgeNumber = 0
  #lastId = 0
  /** Purges that a thread has not answered: another one is asked again. */
  readonly #waiting = new Map<
    number,
    { readonly asked: TierPurge; readonly done: (objects: number) => void }
  >()
  #reached: PurgedTo | undefined
  #reachedTimer: NodeJS.Timeout | undefined

  constructor(parts: CacheDisksParts) {
    this.#parts = parts
    this.#folder = join(parts.directory, FOLDER)
    this.#socket = join(dirname(parts.shared.path), 'cache.sock')
    this.purgedTo = this.#readReached()
  }

  /** What a worker needs of them. */
  get forWorkers(): { readonly socket: string; readonly folder: string } {
    return { socket: this.#socket, folder: this.#folder }
  }

  /** These sites are live from now on. */
  use({ sites }: Pick<Served, 'sites'>): void {
    const gone = this.#sites.filter((site) => !sites.some((other) => siteName(other) === siteName(site)))
    this.#sites = sites
    const plans = planTiers(sites, this.#parts.config.edge.cache, this.#folder)
    const isSame = JSON.stringify(plans) === JSON.stringify(this.#plans)
    this.#plans = plans
    if (this.#isStopped) return
    // Whoever comes by that name later is somebody else.
    for (const site of gone)
      if (isShared(site, this.#parts.config.edge.cache)) this.#forgetInShared(siteName(site))
    if (this.#thread === undefined) this.#startThread()
    else if (!isSame) this.#send({ kind: 'use', plans })
  }

  /** Takes the folders, as soon as nobody else has them. */
  start(served: Pick<Served, 'sites'>): void {
    this.use(served)
    this.#isStopped = false
    if (this.#thread === undefined) this.#startThread()
  }

  /** Lets the folders go: another program may take them. */
  async close(): Promise<void> {
    this.#isStopped = true
    clearTimeout(this.#restartTimer)
    clearInterval(this.#statesTimer)
    this.#writeReached()
    const thread = this.#thread
    this.#send({ kind: 'close' })
    this.#thread = undefined
    for (const { done } of this.#waiting.values()) done(0)
    this.#waiting.clear()
    if (thread === undefined) return
    const ended = new Promise<void>((resolve) => thread.once('exit', () => resolve()))
    const timer = setTimeout(() => void thread.terminate(), CLOSE_MAX_MS)
    await ended
    clearTimeout(timer)
  }

  async purge(purges: readonly NumberedPurge[]): Promise<readonly number[]> {
    return Promise.all(
      purges.map(async ({ number, purge }) => {
        this.#purgeNumber = Math.max(this.#purgeNumber, number)
        const counts = await Promise.all(this.#purgesOf(number, purge).map((one) => this.#purge(one)))
        return counts.reduce((sum, count) => sum + count, 0)
      }),
    )
  }

  reached(position: PurgedTo): void {
    // What was purged since then was done by nobody.
    if (this.#isStopped) return
    this.#reached = position
    if (this.#plans.length === 0) return
    this.#reachedTimer ??= setTimeout(() => this.#writeReached(), REACHED_EVERY_MS)
  }

  samples(): MetricSample[] {
    return this.#states.flatMap((state) => {
      const labels = { tier: state.name === SHARED_TIER ? SHARED_TIER : state.name.slice('site '.length) }
      return [
        { name: 'orla_cache_disk_bytes', labels, value: state.bytes },
        { name: 'orla_cache_disk_entries', labels, value: state.entries },
        { name: 'orla_cache_disk_evicted_total', labels, value: state.evicted },
        { name: 'orla_cache_disk_open', labels, value: state.isOpen ? 1 : 0 },
      ]
    })
  }

  /** What a purge means in each of the tiers: to each it is one commit, however much it names. */
  #purgesOf(number: number, purge: Purge): readonly TierPurge[] {
    const shared = this.#parts.config.edge.cache
    const meant = this.#sites.filter(
      (site) =>
        site.cache !== undefined && (purge.sites === undefined || purge.sites.includes(siteName(site))),
    )
    const asked = new Map<string, DiskPurge[]>()
    const ask = (tier: string, one: DiskPurge) => {
      const purges = asked.get(tier)
      if (purges === undefined) asked.set(tier, [one])
      else purges.push(one)
    }
    if (purge.sites === undefined && shared?.disk !== undefined) {
      // What sites left there that are gone is meant as well.
      if (isWhole(purge)) ask(SHARED_TIER, { kind: 'all', value: '', soft: purge.soft, number })
      for (const value of purge.tags ?? []) ask(SHARED_TIER, { kind: 'tag', value, soft: purge.soft, number })
    }
    for (const site of meant) {
      const name = siteName(site)
      const inShared = isShared(site, shared)
      if (inShared ? shared?.disk === undefined : site.cache?.disk === undefined) continue
      const tier = inShared ? SHARED_TIER : tierOfSite(name)
      const prefix = inShared ? `${name} ` : ''
      const isDone = inShared && purge.sites === undefined
      for (const one of termsOf(purge, site, prefix, isDone)) ask(tier, { ...one, number })
    }
    return Array.from(asked, ([tier, purges]) => ({ tier, purges }))
  }

  #purge(asked: TierPurge): Promise<number> {
    if (this.#isStopped || !this.#plans.some(({ name }) => name === asked.tier)) return Promise.resolve(0)
    const id = ++this.#lastId
    return new Promise((done) => {
      this.#waiting.set(id, { asked, done })
      this.#send({ kind: 'purge', id, ...asked })
    })
  }

  #forgetInShared(name: string): void {
    const purge = { kind: 'prefix', value: `${name} `, soft: false, number: this.#purgeNumber } as const
    void this.#purge({ tier: SHARED_TIER, purges: [purge] })
  }

  #send(message: ToKeeperThread): void {
    this.#thread?.postMessage(message)
  }

  #startThread(): void {
    const leftovers = this.#leftovers()
    if (this.#isStopped || (this.#plans.length === 0 && leftovers.length === 0)) return
    const workerData: KeeperStart = {
      socket: this.#socket,
      plans: this.#plans,
      purgeNumber: this.#purgeNumber,
      leftovers,
    }
    const thread = new Worker(new URL('../disk/keeper-thread.ts', import.meta.url), {
      workerData,
      name: 'cache keeper',
    })
    this.#thread = thread
    const startedMs = performance.now()
    thread.on('message', (message: FromKeeperThread) => this.#hear(message))
    thread.on('error', (error: Error) =>
      this.#parts.log.warn(`the keeper of the cache on disk failed: ${error.message}; it is started anew`),
    )
    thread.on('exit', () => {
      if (this.#thread !== thread) return
      this.#thread = undefined
      if (this.#isStopped) return
      if (performance.now() - startedMs > RESTART_MAX_MS) this.#restartMs = RESTART_FIRST_MS
      this.#restartTimer = setTimeout(() => this.#startThread(), this.#restartMs)
      this.#restartMs = Math.min(RESTART_MAX_MS, this.#restartMs * 2)
    })
    for (const [id, { asked }] of this.#waiting) this.#send({ kind: 'purge', id, ...asked })
    clearInterval(this.#statesTimer)
    this.#statesTimer = setInterval(() => this.#send({ kind: 'states', id: 0 }), STATES_EVERY_MS)
    this.#statesTimer.unref()
  }

  #hear(message: FromKeeperThread): void {
    switch (message.kind) {
      case 'line':
        return this.#parts.log.warn(message.line)
      case 'states':
        this.#states = message.states
        return
      case 'purged':
        this.#states = message.states
        this.#waiting.get(message.id)?.done(message.objects)
        this.#waiting.delete(message.id)
        return
      case 'closed':
        return
    }
  }

  /** Folders below our own that no site has any more. */
  #leftovers(): string[] {
    const wanted = new Set(this.#plans.map(({ folder }) => folder))
    const sites = join(this.#folder, 'sites')
    const there = [join(this.#folder, 'shared'), ...namesIn(sites).map((name) => join(sites, name))]
    return there.filter((folder) => !wanted.has(folder) && namesIn(folder).length > 0)
  }

  #readReached(): PurgedTo | undefined {
    try {
      const { log, id } = JSON.parse(readFileSync(join(this.#folder, REACHED_FILE), 'utf8')) as PurgedTo
      if (typeof log === 'string' && typeof id === 'number') return { log, id }
    } catch {
      // There was no cache, or nobody knows how far it got.
    }
    const isNew = namesIn(this.#folder).length === 0
    return isNew ? undefined : { log: '', id: 0 }
  }

  #writeReached(): void {
    clearTimeout(this.#reachedTimer)
    this.#reachedTimer = undefined
    if (this.#reached === undefined || this.#plans.length === 0) return
    // A tier on a disk that became read-only: its purges are made again at the next start, if not before.
    if (this.#states.some(({ isOwing }) => isOwing)) {
      if (!this.#isStopped) this.reached(this.#reached)
      return
    }
    const path = join(this.#folder, REACHED_FILE)
    try {
      mkdirSync(this.#folder, { recursive: true, mode: 0o700 })
      writeFileSync(`${path}.new`, JSON.stringify(this.#reached))
      renameSync(`${path}.new`, path)
    } catch {
      // Then purges from before are made again at the next start: too much goes, and nothing stays.
    }
  }
}

/** `isDone`: what means all sites of the tier is asked for once. */
function* termsOf(
  purge: Purge,
  site: SiteConfig,
  prefix: string,
  isDone: boolean,
): Generator<Omit<DiskPurge, 'number'>> {
  const { urls = [], prefixes = [], tags = [], soft } = purge
  if (isWhole(purge) && !isDone) yield { kind: 'all', value: prefix, soft }
  const key = site.cache!.key
  const isAsWritten = key.query === 'all' && !key.sortQuery
  for (const url of urls) {
    const query = url.indexOf('?')
    if (isAsWritten) {
      yield { kind: 'key', value: prefix + url, soft }
      continue
    }
    // Its key may hold another part of the query, in another order: all of the path goes.
    const path = query === -1 ? url : url.slice(0, query)
    yield { kind: 'key', value: prefix + path, soft }
    yield { kind: 'prefix', value: `${prefix + path}?`, soft }
  }
  for (const start of prefixes) yield { kind: 'prefix', value: prefix + start, soft }
  if (!isDone) for (const tag of tags) yield { kind: 'tag', value: tag, soft, within: prefix }
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}
