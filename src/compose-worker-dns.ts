/**
 * The DNS plane of one worker, as `dns` of the configuration has it: begun with the worker, and changed with the units and sites of a set, at the moment
 * at which all workers flip.
 *
 * The plane itself is loaded where there is something to serve: most nodes have none.
 */
import type { DnsEdgeState, DnsHost, DnsSteeringExplanation } from './contract/dns.ts'
import type { MetricSample, Served, ServedDns, ToWorker } from './contract/messages.ts'
import type { UnitRunner } from './contract/unit-runner.ts'
import { PHASE_BITS, type UnitVersion } from './contract/unit.ts'
import type { DnsMatcher } from './unit/dns-matcher.ts'
import type { ComposedDns, DnsLogLevel } from './compose-dns.ts'

export interface WorkerDnsOptions {
  readonly start: Pick<Extract<ToWorker, { kind: 'start' }>, 'worker' | 'edges'>
  readonly random: () => number
  readonly warn: (line: string) => void
  /** What queries log goes to standard output, as access logs do. */
  readonly logs: { line(path: string, line: string): void }
  readonly runner: UnitRunner & { sampledOut(unit: UnitVersion, phases: number): void }
  readonly live: () => LiveDns
}

/** The units that are live on this worker. */
interface LiveDns {
  dnsMatcher(): DnsMatcher
  readonly lastGood: Readonly<Record<string, UnitVersion>>
}

/** A part of a worker that changes with a set: made ready aside, then in force. */
export interface PreparedDns {
  activate(): void
  discard(): void
}

/** Who asks over HTTPS. */
interface DohClient {
  readonly address: string
  readonly port: number
}

/** How long a worker that took the place of another one waits until it reads a Corefile again that was wrong. */
const AGAIN_MS = 5_000

export class WorkerDns {
  readonly #options: WorkerDnsOptions
  #composed: ComposedDns | undefined
  #current: ServedDns | undefined
  /** What is read next. */
  #next: ServedDns | undefined
  #again: NodeJS.Timeout | undefined
  edges: readonly DnsEdgeState[]

  constructor(options: WorkerDnsOptions) {
    this.#options = options
    this.edges = options.start.edges ?? []
  }

  /** How a client is answered that asks for a steered name: by each server block that has it. */
  explain(name: string, client: string): readonly DnsSteeringExplanation[] {
    return this.#composed?.plane.explain(name, client) ?? []
  }

  get addresses(): readonly string[] {
    return this.#composed?.plane.addresses ?? []
  }

  /**
   * Serves; rejects where the Corefile or a socket refuses. `isReplacement`: the node serves already, and one worker less is better than none, so that it is tried
   * again instead.
   */
  async start(served: ServedDns | undefined, isReplacement: boolean): Promise<void> {
    if (served === undefined) return
    try {
      await this.#put(served)
    } catch (error) {
      if (!isReplacement) throw error
      this.#log('error', '', `this worker answers no DNS: ${(error as Error).message}`)
      this.#again = setTimeout(() => void this.start(served, true), AGAIN_MS)
      this.#again.unref()
    }
  }

  async #put(served: ServedDns): Promise<void> {
    this.#next = served
    const { plane } = await this.#compose()
    await plane.start()
    this.#current = served
  }

  /** Rejects where the Corefile is wrong; undefined where nothing changes. */
  async prepare({ dns }: Pick<Served, 'dns'>): Promise<PreparedDns | undefined> {
    if (dns?.revision === this.#current?.revision && this.#again === undefined) return undefined
    if (dns === undefined) return { activate: () => void this.#end(), discard() {} }
    this.#next = dns
    const { plane } = await this.#compose()
    const prepared = await plane.prepare()
    return {
      activate: () => {
        clearTimeout(this.#again)
        this.#again = undefined
        this.#current = dns
        prepared.take().catch((error: Error) => this.#log('error', '', error.message))
      },
      discard: () => {
        prepared.discard().catch((error: Error) => this.#log('error', '', error.message))
      },
    }
  }

  #end(): void {
    clearTimeout(this.#again)
    this.#current = undefined
    const composed = this.#composed
    this.#composed = undefined
    composed?.plane.stop().catch((error: Error) => this.#log('error', '', error.message))
  }

  async stop(): Promise<void> {
    clearTimeout(this.#again)
    await this.#composed?.plane.stop()
  }

  samples(): MetricSample[] {
    return this.#composed?.figures.samples() ?? []
  }

  /** Where DNS over HTTPS is answered on the edge's own addresses; undefined: nowhere. */
  get doh() {
    const { doh } = this.#current ?? {}
    return doh && { ...doh, answer: this.#answer }
  }

  readonly #answer = async (query: Buffer, client: DohClient): Promise<Buffer | undefined> =>
    this.#composed?.answer(query, {
      transport: 'https',
      isUdp: false,
      server: 'https://',
      ip: () => client.address,
      port: () => client.port,
      localIp: () => '',
      localPort: () => 0,
      isProven: true,
    })

  async #compose(): Promise<ComposedDns> {
    if (this.#composed) return this.#composed
    const { composeDns } = await import('./compose-dns.ts')
    const { UnitQueries } = await import('./dns/units/unit-queries.ts')
    const { start, random, runner, live } = this.#options
    const units = new UnitQueries({
      runner,
      live: {
        matcher: () => live().dnsMatcher(),
        get lastGood() {
          return live().lastGood
        },
      },
      chance: { random, onSampledOut: (unit) => runner.sampledOut(unit, PHASE_BITS.dns) },
    })
    const host: Partial<DnsHost> = {
      random,
      isFirst: start.worker === 0,
      out: { write: this.#write },
      end: (why) => {
        this.#log('error', '', `DNS ends here: ${why}`)
        this.#end()
      },
      units,
      edges: () => this.edges,
    }
    return (this.#composed ??= composeDns({
      read: async () => this.#next!.corefile,
      env: process.env,
      isShared: true,
      cookieSecret: Buffer.from(this.#next!.cookieSecret),
      host,
      log: this.#log,
    }))
  }

  /** Lines of queries, as the plugin `log` writes them. */
  readonly #write = (text: string, done: () => void): void => {
    for (const line of text.trimEnd().split('\n')) this.#options.logs.line('stdout', line)
    done()
  }

  readonly #log = (level: DnsLogLevel, plugin: string, text: string): void => {
    const line = `[${level.toUpperCase()}] ${plugin === '' ? '' : `plugin/${plugin}: `}${text}`
    this.#options.warn(`dns: ${line}`)
  }
}
