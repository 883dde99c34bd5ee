/** A server block while its plugins are set up: what they set, offer each other and want to be called for. */
import { isAbsolute, join } from 'node:path'
import type {
  CorefileLine,
  CorefileWord,
  DnsController,
  DnsHost,
  DnsListener,
  DnsLog,
  DnsMetrics,
  DnsOffers,
  DnsQuery,
  DnsReadiness,
  DnsSettings,
} from '../contract/dns.ts'
import { DnsMessage } from '../wire/dns/message.ts'
import { DnsName, DnsNameError } from '../wire/dns/name.ts'
import { ownQuery } from './query.ts'
import { CorefileError } from './corefile/corefile-error.ts'
import { reverseZonesOf } from './reverse-zones.ts'

/** How often what a CNAME points to may point on, out of one zone into another. */
const LOOKUPS_MAX = 8

export interface BlockSurroundings {
  readonly zones: readonly DnsName[]
  readonly listeners: readonly DnsListener[]
  readonly metrics: DnsMetrics
  readonly host: DnsHost
  /** Log of a plugin by its name. */
  log(plugin: string, settings: DnsSettings): DnsLog
  /** Where relative paths begin as long as no `root` was given. */
  readonly folder: string
  /** What plugins of all blocks of the Corefile are to be ready; without it, of this block alone. */
  readiness?(): readonly DnsReadiness[]
  /** Asks the chain of this block, once it is there. */
  ask(query: DnsQuery): Promise<DnsMessage | undefined>
}

export class BlockSetup {
  readonly settings: DnsSettings
  readonly starts: (() => void | Promise<void>)[] = []
  readonly readies: DnsReadiness[] = []
  readonly endings: (() => void | Promise<void>)[] = []
  readonly stops: (() => void | Promise<void>)[] = []
  readonly #around: BlockSurroundings
  readonly #offers = new Map<keyof DnsOffers, unknown[]>()

  constructor(around: BlockSurroundings) {
    this.#around = around
    this.settings = {
      root: around.folder,
      isDebug: false,
      bind: [],
      filters: [],
      view: '',
      tls: undefined,
      timeouts: { readMs: 5000, writeMs: 5000, idleMs: 10_000 },
      amplification: undefined,
      tsigSecrets: new Map(),
      metadataProviders: [],
      metadataZones: undefined,
      hasStacktraces: false,
      isCounted: false,
      reload: undefined,
    }
  }

  controllerFor(plugin: string, lines: readonly CorefileLine[]): DnsController {
    const { zones, listeners, metrics, host } = this.#around
    const fail = (where: CorefileWord | CorefileLine, text: string): never => {
      throw new CorefileError('args' in where ? where.name : where, `plugin/${plugin}: ${text}`)
    }
    return {
      plugin,
      lines,
      zones,
      listeners,
      metrics,
      host,
      settings: this.settings,
      log: this.#around.log(plugin, this.settings),
      fail,
      path: (text) => (isAbsolute(text) ? text : join(this.settings.root, text)),
      zonesOf: (args) => (args.length === 0 ? [...zones] : args.flatMap((word) => zonesNamed(word, fail))),
      lookup: async (query, name, type) =>
        query.depth >= LOOKUPS_MAX
          ? undefined
          : await this.#around.ask(query.with({ name, type, depth: query.depth + 1 })),
      ask: async (name, type) => {
        const query = ownQuery(name, type, host.steadyNow())
        query.zone = zones.find((zone) => name.isWithin(zone)) ?? DnsName.ROOT
        return await this.#around.ask(query)
      },
      onStart: (start) => void this.starts.push(start),
      onReady: (isReady) => void this.readies.push({ plugin, isReady }),
      readiness: () => this.#around.readiness?.() ?? this.readies,
      onEnding: (wait) => void this.endings.push(wait),
      onShutdown: (stop) => void this.stops.push(stop),
      offer: (kind, what) => void this.#offers.set(kind, [...(this.#offers.get(kind) ?? []), what]),
      offers: (kind) => this.offersOf(kind),
    }
  }

  /** What plugins of this block offer. */
  offersOf<K extends keyof DnsOffers>(kind: K): readonly DnsOffers[K][] {
    return (this.#offers.get(kind) ?? []) as DnsOffers[K][]
  }
}

/** A name as a zone, or a prefix as the reverse zones that it is made of. */
function zonesNamed(word: CorefileWord, fail: (where: CorefileWord, text: string) => never): DnsName[] {
  const reverse = reverseZonesOf(word.text)
  if (reverse) return reverse
  try {
    return [DnsName.parse(word.text.toLowerCase())]
  } catch (error) {
    if (error instanceof DnsNameError) return fail(word, error.message)
    throw error
  }
}
