/**
 * Sites while the node runs: set and removed by hand, and applied anew from the configuration file. A change goes the way of
 * units, so both are live on all workers at one moment: planned, appended, prepared on every worker, flipped.
 */
import { EdgeError } from '../base/errors.ts'
import type { Clock } from '../base/clock.ts'
import { checkSite } from '../config/check.ts'
import { ALL_PATHS } from '../config/site-claims.ts'
import { siteName } from '../config/site-name.ts'
import type { Config, SiteInput } from '../config/schema.ts'
import type { Served, ServedDns } from '../contract/messages.ts'
import type { Effect } from '../contract/store.ts'
import { Refused, type ChangeOptions, type ControlledNode, type Expectation } from '../control/node.ts'
import type { ChangeResult, ReloadResult, SiteChange, SiteSummary } from '../control/shapes.ts'
import {
  expectVersion,
  planBack,
  planFile,
  planRemove,
  planSet,
  problemText,
  SitesInvalid,
  type SitePlan,
} from '../site/changes.ts'
import { EDGE_KEY, listSites, readSite, type SiteReader, type SiteRecord } from '../site/records.ts'
import { appendPlanned, type StoreWriter } from '../replication/store-writer.ts'
import type { SqliteStore } from '../store/sqlite-store.ts'
import { changedSettings, refuseRestart, type ConfigFile } from './config-file.ts'
import { servedDns } from './dns/served-dns.ts'
import type { Follower } from './followers.ts'
import type { Log } from './log.ts'
import type { LimitRegions } from './limits/limit-regions.ts'
import { assertSiteLogsWritable } from './log-paths.ts'
import { assertFilesUsable } from './named-files.ts'
import { Turns } from './turns.ts'
import type { ChangeRequest } from './changes/unit-changes.ts'

export interface SiteControlParts {
  readonly config: Config
  readonly file: ConfigFile
  /** This node is an edge: its sites come from the control plane, and its file has none. */
  readonly isEdge: boolean
  readonly store: SqliteStore
  readonly writer: StoreWriter
  readonly clock: Clock
  readonly log: Log
  readonly reader: SiteReader
  readonly followers: readonly Follower[]
  readonly limits: LimitRegions
  make(request: ChangeRequest, options: ChangeOptions): Promise<ChangeResult>
}

type SiteMethods = Pick<ControlledNode, 'sites' | 'site' | 'setSites' | 'removeSite' | 'reload'>

export class SiteControl implements SiteMethods {
  readonly #parts: SiteControlParts
  readonly #reloads = new Turns()
  /** The configuration as it was applied last. */
  #config: Config
  /** The one that sets are read with: another one while a reload is under way. */
  #next: Config
  #served: Served
  /** The Corefile as it was read last, with `#next`. */
  #dns: ServedDns | undefined
  /** The configuration that `#served` was made of. */
  #servedWith: Config
  #takeBack: (() => readonly Effect[]) | undefined

  constructor(parts: SiteControlParts) {
    this.#parts = parts
    this.#config = parts.config
    this.#next = parts.config
    this.#servedWith = parts.config
    this.#dns = servedDns(parts.config)
    this.#served = this.#serve(parts.reader.read(), parts.config)
  }

  /** What a worker that starts now is to know. */
  get config(): Config {
    return this.#config
  }

  /** Another program writes from here on, and applies its file first of all. */
  suspend(): void {
    if (!this.#parts.isEdge) this.#takeBack = planBack(this.#parts.store)
  }

  /** It did not come to serve: the store says of sites what it said before. */
  async resume(): Promise<void> {
    const { store, writer, log } = this.#parts
    const takeBack = this.#takeBack
    this.#takeBack = undefined
    try {
      await appendPlanned(store, writer, takeBack ?? (() => []))
    } catch (error) {
      // No reason not to go on: what is served stays as it is until the next change.
      log.warn(`sites of the program that did not take over stay in the store: ${(error as Error).message}`)
    }
  }

  /** What a set that is read from the store now serves with: the same object while nothing changed. */
  served(): Served {
    const sites = this.#parts.reader.read()
    const config = this.#next
    if (sites === this.#served.sites && config === this.#servedWith) return this.#served
    this.#servedWith = config
    return (this.#served = this.#serve(sites, config))
  }

  #serve(sites: Served['sites'], config: Config): Served {
    const limiters = this.#parts.limits.serve(config.limits, sites)
    return {
      ...settingsOf(config),
      ...(this.#dns && { dns: this.#dns }),
      sites,
      ...(limiters.length > 0 && { limiters }),
    }
  }

  sites(): readonly SiteSummary[] {
    return listSites(this.#parts.store).map(([name, record]) => summary(name, record))
  }

  site(name: string): SiteSummary {
    const record = readSite(this.#parts.store, name)
    if (record) return summary(name, record)
    throw new EdgeError('site-unknown', `there is no site ${name.slice(0, 80)}`)
  }

  setSites(
    inputs: readonly Readonly<Record<string, unknown>>[],
    { replaceAll = false, expected }: { readonly replaceAll?: boolean; readonly expected?: Expectation },
    options: ChangeOptions,
  ): Promise<SiteChange> {
    const { store, clock, file } = this.#parts
    // The plan checks them.
    const sites = inputs as unknown as readonly SiteInput[]
    return this.#change(() => {
      if (sites.length === 1) expectVersion(store, siteName(sites[0]!), expected)
      const { folder } = file
      const plan = planSet(store, sites, { folder, at: clock.now(), replaceAll })
      const { guard } = options
      if (guard) {
        for (const site of sites)
          guard.site(siteName(site), readSite(store, siteName(site))?.input, { ...site })
        for (const name of plan.removed) guard.site(name, readSite(store, name)?.input, undefined)
      }
      const checked = sites
        .map((site) => checkSite(site))
        .flatMap((one) => (one.kind === 'site' ? [one.site] : []))
      this.#parts.limits.check([], checked)
      // Last, as it makes the files.
      assertSiteLogsWritable(sites, folder)
      return plan
    }, options)
  }

  removeSite(name: string, expected: Expectation | undefined, options: ChangeOptions): Promise<SiteChange> {
    return this.#change(() => {
      expectVersion(this.#parts.store, name, expected)
      options.guard?.site(name, readSite(this.#parts.store, name)?.input, undefined)
      return planRemove(this.#parts.store, [name])
    }, options)
  }

  /** What is wrong with the file changes nothing, and is thrown. */
  reload(options: ChangeOptions): Promise<ReloadResult> {
    return this.#reloads.take(() => this.#reload(options))
  }

  async #reload(options: ChangeOptions): Promise<ReloadResult> {
    const { file, store, clock, log, followers, isEdge } = this.#parts
    if (!file.load) {
      throw new EdgeError('config-missing', 'this node was started without a configuration file', {
        hint: 'its sites are changed with `orla sites`',
      })
    }
    const { config, source, input, folder } = await file.load()
    if (isEdge) refuseSites(input.sites ?? [])
    refuseRestart(this.#config, config)
    assertFilesUsable(config)
    this.#parts.limits.check(config.limits, config.sites)
    const steps = followers.map((follower) => follower.follow(config))
    const before = this.#dns
    const dns = servedDns(config, before)
    let settings: readonly string[] = []
    let used: Promise<unknown> | undefined
    const change = await this.#change(
      () => {
        const others = changedSettings(this.#config, config).filter((name) => name !== 'dns')
        // Files that the Corefile names may have changed.
        settings = dns === undefined && before === undefined ? others : [...others, 'dns']
        this.#dns = dns
        for (const step of steps) step.verify?.()
        if (isEdge) {
          this.#next = config
          return NO_SITES
        }
        const plan = planFile(store, input.sites ?? [], { folder, at: clock.now(), mode: 'reload' })
        if (settings.length === 0) return plan
        this.#next = config
        // Gives the set with the new settings a position of its own. What they are stays out of the store: there are secrets among them.
        const effect = { operation: 'SET', key: EDGE_KEY, value: JSON.stringify(settings) } as const
        return { ...plan, effects: [...plan.effects, effect] }
      },
      options,
      {
        isLocal: isEdge,
        // What else the file changed is in force then.
        staysWhereItIs: () => settings.length > 0,
        onFailed: () => {
          this.#next = this.#config
          this.#dns = before
        },
        // Also where whoever asked has not waited for it.
        onLive: () => {
          this.#config = config
          this.#next = config
          used = Promise.all(steps.map((step) => step.use()))
        },
      },
    )
    await used
    for (const name of change.overridden) log.warn(overriddenText(name))
    const changed = steps.flatMap((step) => step.changed ?? [])
    return { ...change, source, settings: [...new Set([...settings, ...changed])] }
  }

  async #change(
    plan: () => SitePlan,
    options: ChangeOptions,
    hooks: Pick<ChangeRequest, 'onLive' | 'onFailed' | 'isLocal' | 'staysWhereItIs'> = {},
  ): Promise<SiteChange> {
    let planned: SitePlan | undefined
    const request: ChangeRequest = {
      name: 'the change of sites',
      refusedAs: 'config-invalid',
      plan() {
        planned = refusing(plan)
        return { name: 'sites', version: 0, effects: planned.effects }
      },
      ...hooks,
    }
    const { epoch, live, edges, ms, timings } = await this.#parts.make(request, options)
    const { added, changed, removed, overridden } = planned!
    return {
      added: [...added],
      changed: [...changed],
      removed: [...removed],
      overridden: [...overridden],
      epoch,
      live,
      ...(edges && { edges }),
      ms,
      timings,
    }
  }
}

const NO_SITES: SitePlan = { effects: [], added: [], changed: [], removed: [], overridden: [] }

/** Of an edge. */
export function refuseSites(sites: readonly SiteInput[]): void {
  if (sites.length === 0) return
  throw new EdgeError(
    'config-invalid',
    'sites: this node is an edge, and its sites come from the control plane',
    {
      hint: 'take them out of this file, and set them there: `orla sites set --control URL`',
    },
  )
}

/** Puts what the file says into the store before the node starts. */
export async function applyFileAtStart(
  store: SqliteStore,
  writer: StoreWriter,
  { sites, folder }: ConfigFile,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): Promise<void> {
  let overridden: SitePlan['overridden'] = []
  const append = appendPlanned(store, writer, () => {
    const plan = planFile(store, sites, { folder, at: clock.now(), mode: 'start' })
    overridden = plan.overridden
    return plan.effects
  })
  try {
    await append
  } catch (error) {
    // What the store has is served all the same.
    if (!(error instanceof EdgeError) || error.code !== 'store-unavailable') throw error
    log.warn(
      `what the configuration file says of sites is not in the store, until a reload: ${error.message}`,
    )
  }
  for (const name of overridden) log.warn(overriddenText(name))
}

const overriddenText = (name: string) =>
  `the site ${name} was changed live; what the configuration file says now took its place`

function refusing(plan: () => SitePlan): SitePlan {
  try {
    return plan()
  } catch (error) {
    if (!(error instanceof SitesInvalid)) throw error
    const problems = error.problems.map((problem) => ({ message: problemText(problem) }))
    throw new Refused(error.message, problems, 'config-invalid')
  }
}

function settingsOf({ edge, sources, geo }: Config): Omit<Served, 'sites' | 'limiters'> {
  const { limits, debugToken, listen, accessLog, trustedProxies, forwardedFrom, requestId, trace, fetch } =
    edge
  return {
    limits,
    debugToken,
    sources,
    ...(geo.asn !== undefined && { geo }),
    edge: { listen, accessLog, trustedProxies, forwardedFrom, requestId, trace, fetch },
  }
}

function summary(name: string, { input, version, from, at }: SiteRecord): SiteSummary {
  const { hosts = ['*'], paths = ALL_PATHS } = input
  return { name, hosts: [...hosts], paths: [...paths], version, from, at, site: { ...input } }
}
