/** One Corefile as it is served: its blocks set up, and who answers at which endpoint. Another Corefile is another one of these. */
import type { Corefile } from './corefile/corefile.ts'
import { type AnswerQuery, type Endpoint, endpointLabel } from './endpoint.ts'
import { LateAnswers, tooMany } from './late-answers.ts'
import type { QueryCounts, ServerQuery } from './query.ts'
import type { DnsName } from '../wire/dns/name.ts'
import { DROPPED_ZONE } from './query-figures.ts'
import { type RoutedBlock, Router } from './router.ts'
import { Amplification } from './server/amplification.ts'
import { type BlocksSurroundings, type ServerBlock, setUpBlocks, stopAll } from './server-blocks.ts'

/** Plugins that answer other classes than IN: with one of them, a listener takes these (as CoreDNS does). */
const FOR_ALL_CLASSES = ['chaos', 'forward']
/** The label `server` of what comes in over HTTPS where the edge listens. */
const ANYWHERE = 'https://'
/** How long queries that are on their way may keep what was replaced. */
const LAST_ANSWERS_MS = 10_000

export interface ServingSurroundings extends BlocksSurroundings {
  /** Counts the queries of a zone at an endpoint. */
  countsFor?(endpoint: string, zone: string, view: string): QueryCounts
}

export class Serving {
  readonly corefile: Corefile
  readonly blocks: readonly ServerBlock[]
  /** By label. */
  readonly endpoints: ReadonlyMap<string, Endpoint>
  readonly #routers: ReadonlyMap<string, Router>
  readonly #anywhere: Router
  #answerAnywhere: AnswerQuery | undefined
  readonly #around: ServingSurroundings
  /** Queries that are being answered. */
  readonly #late = new LateAnswers()

  private constructor(corefile: Corefile, blocks: readonly ServerBlock[], around: ServingSurroundings) {
    this.corefile = corefile
    this.blocks = blocks
    this.#around = around
    const endpoints = new Map<string, Endpoint>()
    const zones = new Map<string, { readonly zone: DnsName; readonly block: RoutedBlock }[]>()
    for (const block of blocks) {
      const { settings } = block.setup
      for (const { transport, port, zones: named } of block.keys) {
        for (const host of settings.bind.length === 0 ? [''] : settings.bind) {
          const label = endpointLabel(transport, host, port)
          const { timeouts } = settings
          // Without encryption a certificate changes nothing: sockets that have none stay open when the block is given one.
          const tls = transport === 'dns' ? undefined : settings.tls
          if (!endpoints.has(label)) endpoints.set(label, { transport, host, port, tls, timeouts, label })
          const routed = routedBlock(block, label, around)
          zones.set(label, [...(zones.get(label) ?? []), ...named.map((zone) => ({ zone, block: routed }))])
        }
      }
    }
    this.endpoints = endpoints
    const everywhere = blocks.flatMap((block) => {
      const routed = routedBlock(block, ANYWHERE, around)
      return block.keys.flatMap((key) => key.zones.map((zone) => ({ zone, block: routed })))
    })
    this.#anywhere = new Router(everywhere)
    // Queries that no server block has are counted where any are.
    const isCounted = blocks.some(({ setup }) => setup.settings.isCounted)
    const outside = (label: string) => (isCounted ? around.countsFor?.(label, DROPPED_ZONE, '') : undefined)
    this.#routers = new Map([...zones].map(([label, served]) => [label, new Router(served, outside(label))]))
  }

  /** Sets all up; throws a `CorefileError`. Nothing has started yet: `start` does. */
  static async prepare(corefile: Corefile, around: ServingSurroundings): Promise<Serving> {
    return new Serving(corefile, await setUpBlocks(corefile.blocks, around), around)
  }

  /** Runs what plugins want to be run first. Where one fails, all that began is ended. */
  async start(): Promise<void> {
    try {
      for (const { setup } of this.blocks) for (const start of setup.starts) await start()
    } catch (error) {
      await this.#stopBlocks()
      throw error
    }
  }

  answerAt(label: string): AnswerQuery | undefined {
    const router = this.#routers.get(label)
    return router && this.#bounded(router)
  }

  /** For queries that come in where no server block listens. */
  get answerAnywhere(): AnswerQuery {
    return (this.#answerAnywhere ??= this.#bounded(this.#anywhere))
  }

  #bounded(router: Router): AnswerQuery {
    const late = this.#late
    return (query) => {
      // Who could not wait is not asked for either.
      if (late.isFull) return tooMany(query)
      const outcome = router.answer(query)
      return outcome instanceof Promise ? late.bounded(query, outcome) : outcome
    }
  }

  /** Tells figures which plugins are there, and that those of the former one are not, where they are gone. */
  tellEnabled(former: Serving | undefined): void {
    const labels = ['server', 'zone', 'view', 'name']
    const gauge = this.#around.metrics.gauge(
      'coredns_plugin_enabled',
      'A metric that indicates whether a plugin is enabled on per server and zone basis.',
      labels,
    )
    for (const place of former ? former.#enabled() : []) gauge.set(0, ...place)
    for (const place of this.#enabled()) gauge.set(1, ...place)
  }

  *#enabled(): Generator<readonly string[]> {
    for (const { keys, plugins, setup } of this.blocks) {
      const { isCounted, bind, view } = setup.settings
      if (!isCounted) continue
      for (const { transport, port, zones } of keys)
        for (const host of bind.length === 0 ? [''] : bind)
          for (const zone of zones)
            for (const name of plugins)
              yield [endpointLabel(transport, host, port), zone.toString(), view, name]
    }
  }

  /** While it still serves: what plugins want to wait for before the end. */
  async ending(): Promise<void> {
    const waits = this.blocks.flatMap(({ setup }) => setup.endings)
    const done = await Promise.allSettled(waits.map(async (wait) => await wait()))
    for (const { status, ...rest } of done)
      if (status === 'rejected') this.#around.onPanic('', (rest as PromiseRejectedResult).reason)
  }

  /** Ends what plugins began, once the queries that are on their way are answered. */
  async stop(): Promise<void> {
    await this.#late.idle(LAST_ANSWERS_MS)
    await this.#stopBlocks()
  }

  async #stopBlocks(): Promise<void> {
    await stopAll(
      this.blocks.map(({ setup }) => setup),
      (error) => this.#around.onPanic('', error),
    )
  }
}

function routedBlock(
  { chain, setup, plugins }: ServerBlock,
  label: string,
  around: ServingSurroundings,
): RoutedBlock {
  const { settings } = setup
  const { countsFor } = around
  return {
    chain,
    view: settings.view,
    filters: settings.filters as ((query: ServerQuery) => boolean)[],
    metadataProviders: settings.metadataProviders,
    metadataZones: settings.metadataZones,
    isForAllClasses: plugins.some((plugin) => FOR_ALL_CLASSES.includes(plugin)),
    isDebug: settings.isDebug,
    ...(settings.amplification && { amplification: new Amplification(settings.amplification) }),
    ...(settings.isCounted &&
      countsFor && { countsFor: (zone) => countsFor(label, zone.toString(), settings.view) }),
  }
}
