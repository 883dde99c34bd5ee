/**
 * Follows the sources of units: reads each now and then, and makes the live units what it holds, by the same way as a deploy.
 *
 * What cannot be read changes nothing, and neither does what cannot run: the version from before goes on. A refused unit is tried again when it changes; what failed for another reason, with
 * the next reading. A set that is not there any more is believed the second time: a Redis that lost its data must not empty the edge before anybody has looked.
 */
import { shownUrl } from '../config/redis-address.ts'
import { sourceName } from '../config/source-name.ts'
import type { Config, SourceConfig } from '../config/schema.ts'
import type { Clock } from '../base/clock.ts'
import { EdgeError } from '../base/errors.ts'
import type { UnitOrigin } from '../contract/unit.ts'
import type { Store } from '../contract/store.ts'
import { NotFinished, Refused, type ChangeOptions, type ControlledNode } from '../control/node.ts'
import type { SourceSummary, SourceUnit } from '../control/source-shapes.ts'
import { planChanges } from '../source/changes.ts'
import { type FoundUnit, understand } from '../source/reading.ts'
import { RedisLink } from '../source/redis-link.ts'
import { readLayout } from '../source/redis-layout.ts'
import { listPointers, readRecord } from '../unit/records.ts'
import type { Follower, Step } from './followers.ts'
import type { Log } from './log.ts'

/** Between two looks at what is due. */
const LOOK_EVERY_MS = 100
/** Of the time between two readings. */
const JITTER = 0.25
/** Built and tried beside each other; they go live one by one. */
const AT_ONCE = 4
const OPTIONS: ChangeOptions = { wait: 'edges', timeoutMs: 120_000 }
/** Lines about units of one reading. */
const LINES_MAX = 20
/** Reasons that lie in what the source holds: to try again helps when it changes. */
const FINAL: ReadonlySet<string> = new Set(['unit-invalid', 'unit-unsigned', 'request-invalid'])

export interface SourceKeeperParts {
  readonly config: Config
  readonly clock: Clock
  readonly log: Log
  readonly store: Store
  readonly random?: () => number
  /** Who deploys. */
  readonly node: () => Pick<ControlledNode, 'deploy' | 'remove'>
}

/** One source, and how it stood when it was read last. */
interface Followed {
  readonly config: SourceConfig
  readonly name: string
  readonly link: RedisLink
  dueAtMs: number
  isBusy: boolean
  isOver: boolean
  readAt: number | undefined
  problem: string | undefined
  wasEmpty: boolean
  units: readonly SourceUnit[]
  /** Hash and reason of what was refused, by the name of the unit. */
  readonly refused: Map<string, { readonly hash: string; readonly reason: string }>
  /** What was said of each unit, so that it is said once. */
  told: ReadonlyMap<string, string>
}

export class SourceKeeper implements Follower {
  readonly #parts: SourceKeeperParts
  #config: Config
  #followed: readonly Followed[] = []
  #timer: NodeJS.Timeout | undefined
  /** Origins by `name@version`: a version never changes. */
  readonly #origins = new Map<string, UnitOrigin | undefined>()

  constructor(parts: SourceKeeperParts) {
    this.#parts = parts
    this.#config = parts.config
  }

  follow(config: Config): Step {
    return {
      use: () => {
        this.#config = config
        if (this.#timer !== undefined) this.#useSources()
      },
    }
  }

  /** To be called once workers serve: they try what is deployed. */
  start(): void {
    if (this.#timer !== undefined) return
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY_MS)
    this.#timer.unref()
    this.#useSources()
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
    for (const followed of this.#followed) end(followed)
    this.#followed = []
  }

  states(): readonly SourceSummary[] {
    return this.#config.sources.map((config) => {
      const name = sourceName(config)
      const followed = this.#followed.find((one) => one.name === name)
      const { readAt, problem, units = [] } = followed ?? {}
      return {
        name,
        kind: config.kind,
        urls: config.url.map(shownUrl),
        set: config.set,
        everySeconds: config.everySeconds,
        followed: !this.#isEdge,
        ...(readAt !== undefined && { readAt }),
        ...(problem !== undefined && { problem }),
        units: [...units],
      }
    })
  }

  /** Of a control plane, which deploys to all its edges. */
  get #isEdge(): boolean {
    return this.#config.store.kind === 'replica'
  }

  #useSources(): void {
    const { clock } = this.#parts
    const wanted = this.#isEdge ? [] : this.#config.sources
    const kept = this.#followed.filter(({ config }) => wanted.some((one) => isSame(one, config)))
    for (const followed of this.#followed) if (!kept.includes(followed)) end(followed)
    this.#followed = wanted.map(
      (config) =>
        kept.find((followed) => isSame(followed.config, config)) ?? {
          config,
          name: sourceName(config),
          link: new RedisLink(config, clock),
          dueAtMs: clock.now(),
          isBusy: false,
          isOver: false,
          readAt: undefined,
          problem: undefined,
          wasEmpty: false,
          units: [],
          refused: new Map(),
          told: new Map(),
        },
    )
    this.#look()
  }

  #look(): void {
    const { clock, random = Math.random } = this.#parts
    for (const followed of this.#followed) {
      if (followed.isBusy || followed.dueAtMs > clock.now()) continue
      followed.isBusy = true
      void this.#read(followed).finally(() => {
        followed.isBusy = false
        followed.dueAtMs = clock.now() + followed.config.everySeconds * 1000 * (1 + JITTER * random())
      })
    }
  }

  /** Never rejects. */
  async #read(followed: Followed): Promise<void> {
    const { log, clock } = this.#parts
    const { name, link, config } = followed
    try {
      const entries = await readLayout(link, config.set)
      if (followed.isOver) return
      if (followed.problem !== undefined) log.info(`the source ${name} is read again`)
      followed.problem = undefined
      followed.readAt = clock.now()
      const isEmpty = entries.length === 0
      const isBelieved = !isEmpty || followed.wasEmpty
      followed.wasEmpty = isEmpty
      if (!isBelieved) return
      followed.units = await this.#apply(followed, understand(entries, config.onError))
      this.#tell(followed)
    } catch (error) {
      if (followed.isOver) return
      const said = (error as Error).message
      if (said !== followed.problem)
        log.warn(`the source ${name} cannot be read, and changes nothing: ${said}`)
      followed.problem = said
    }
  }

  async #apply(followed: Followed, reading: ReturnType<typeof understand>): Promise<SourceUnit[]> {
    const isConfigured = (other: string) =>
      this.#config.sources.some((source) => sourceName(source) === other)
    const { deploy, unchanged, remove, foreign } = planChanges(
      reading,
      this.#live(),
      followed.name,
      isConfigured,
    )
    const states: SourceUnit[] = [
      ...reading.leftOut.map(({ name, unit, state, reason }) => ({ name, unit, state, reason })),
      ...foreign.map(({ found: { name, unit }, reason }) => ({
        name,
        unit,
        state: 'foreign' as const,
        reason,
      })),
      ...unchanged.map(({ name, unit }) => ({ name, unit, state: 'live' as const })),
    ]
    for (const unit of remove) await this.#remove(followed, unit)
    const left = [...deploy]
    const work = async (): Promise<void> => {
      for (let next = left.shift(); next !== undefined; next = left.shift()) {
        if (followed.isOver) return
        states.push(await this.#deploy(followed, next))
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, work))
    return states.toSorted((a, b) => (a.name < b.name ? -1 : 1))
  }

  async #deploy({ name: source, refused }: Followed, found: FoundUnit): Promise<SourceUnit> {
    const { name, unit, hash, manifest, defaults } = found
    const known = refused.get(unit)
    if (known?.hash === hash) return { name, unit, state: 'refused', reason: known.reason }
    refused.delete(unit)
    const origin: UnitOrigin = { kind: 'source', source, name, hash }
    const entry = `${unit}.js`
    const request = {
      source: found.source,
      language: 'js' as const,
      files: {},
      entry,
      manifest,
      env: {},
      origin,
      defaults,
    }
    try {
      await this.#parts.node().deploy(unit, request, OPTIONS)
    } catch (error) {
      const reason = (error as Error).message
      const code = error instanceof EdgeError ? error.code : ''
      if (code === 'unit-conflict') return { name, unit, state: 'foreign', reason }
      if (error instanceof Refused || FINAL.has(code)) {
        refused.set(unit, { hash, reason })
        return { name, unit, state: 'refused', reason }
      }
      // It goes on, and is live when it is done.
      if (!(error instanceof NotFinished)) return { name, unit, state: 'waiting', reason }
    }
    return { name, unit, state: 'live' }
  }

  async #remove({ name }: Followed, unit: string): Promise<void> {
    const { log, node } = this.#parts
    try {
      await node().remove(unit, OPTIONS)
    } catch (error) {
      log.warn(
        `${unit}, which the source ${name} does not name any more, is not removed: ${(error as Error).message}`,
      )
    }
  }

  #live(): ReadonlyMap<string, UnitOrigin | undefined> {
    const { store } = this.#parts
    const seen = new Set<string>()
    const live = listPointers(store).map(([name, pointer]) => {
      const key = `${name}@${pointer.live}`
      seen.add(key)
      if (!this.#origins.has(key)) this.#origins.set(key, readRecord(store, name, pointer.live)?.origin)
      return [name, this.#origins.get(key)] as const
    })
    for (const key of this.#origins.keys()) if (!seen.has(key)) this.#origins.delete(key)
    return new Map(live)
  }

  /** Each unit that is not live once, and again where the reason is another one. */
  #tell(followed: Followed): void {
    const { log } = this.#parts
    const { name: source, units, told } = followed
    const said = units.flatMap(({ name, state, reason = '' }) =>
      state === 'live' ? [] : [[name, `${state}: ${reason}`] as const],
    )
    const news = said.filter(([name, text]) => told.get(name) !== text)
    for (const [name, text] of news.slice(0, LINES_MAX))
      log.warn(`the source ${source}: \`${name}\` is ${text}`)
    const more = news.length - LINES_MAX
    if (more > 0) log.warn(`the source ${source}: ${more} more units are not live: see \`orla sources\``)
    followed.told = new Map(said)
  }
}

function end(followed: Followed): void {
  followed.isOver = true
  followed.link.close()
}

const isSame = (a: SourceConfig, b: SourceConfig): boolean => JSON.stringify(a) === JSON.stringify(b)
