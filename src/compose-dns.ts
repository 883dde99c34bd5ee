/** Puts the DNS plane together: servers, Corefile, plugins. For `orla dns` alone and for a worker of a node. */
import { VERSION } from './base/version.ts'
import type { DnsHost, DnsLog, DnsSettings } from './contract/dns.ts'
import type { CorefileSource } from './dns/corefile/corefile.ts'
import type { Endpoint } from './dns/endpoint.ts'
import { DnsFigures } from './dns/metrics.ts'
import { withOutsidePlugins } from './dns/outside-plugins.ts'
import { Amplification, USUAL_AMPLIFICATION } from './dns/server/amplification.ts'
import { Answering } from './dns/server/answering.ts'
import { openEndpoint } from './dns/server/open-endpoint.ts'
import { ServerCookies } from './dns/server/server-cookies.ts'
import { DnsPlane } from './dns/plane.ts'
import type { DnsPeer } from './dns/query.ts'
import type { ServerQuery } from './dns/query.ts'
import { QueryFigures } from './dns/query-figures.ts'
import type { PluginOrder } from './dns/server-blocks.ts'
import { describePlugin, isPluginName, loadPlugin, PLUGINS } from './plugins/dns/index.ts'

export { CorefileError } from './dns/corefile/corefile-error.ts'
export type { CorefileSource } from './dns/corefile/corefile.ts'
export type { DnsPlane, PreparedCorefile } from './dns/plane.ts'

export type DnsLogLevel = 'debug' | 'info' | 'warn' | 'error'

export interface DnsOptions {
  /** Reads the Corefile, at the start and at each reload. */
  read(): Promise<CorefileSource>
  readonly env: Readonly<NodeJS.ProcessEnv>
  /** Port of zones without one; 53 unless said. */
  readonly dnsPort?: number
  readonly host?: Partial<DnsHost>
  /** Other processes serve the same Corefile, on the same addresses; whoever started them says when it is read again. */
  readonly isShared?: boolean
  /** 16 bytes, the same for all of them. */
  readonly cookieSecret?: Buffer
  /** A line of the log; `plugin` is empty for the plane itself. */
  log(level: DnsLogLevel, plugin: string, text: string): void
}

export interface ComposedDns {
  readonly plane: DnsPlane
  readonly figures: DnsFigures
  /** Answers what came in somewhere else, out of all server blocks; undefined where nothing is to be sent. */
  answer(bytes: Buffer, peer: DnsPeer): Promise<Buffer | undefined>
}

/** DNS over HTTPS where the edge listens. */
const ELSEWHERE: Endpoint = {
  transport: 'https',
  host: '',
  port: 0,
  tls: undefined,
  timeouts: { readMs: 0, writeMs: 0, idleMs: 0 },
  label: 'https://',
}

/** Those that come with Orla, in their order. */
const BUILT_IN: PluginOrder = {
  names: PLUGINS,
  load: (name) => {
    if (!isPluginName(name)) throw new TypeError(`no plugin is named ${name}`)
    return loadPlugin(name)
  },
}

/** The plugins that are built in, in the order of the chain, each with what it does. */
export const listPlugins = (): Promise<{ readonly name: string; readonly text: string }[]> =>
  Promise.all(PLUGINS.map(async (name) => ({ name, text: await describePlugin(name) })))

export function composeDns(options: DnsOptions): ComposedDns {
  const figures = new DnsFigures()
  const queries = new QueryFigures(figures)
  figures
    .gauge('coredns_build_info', "A metric with a constant '1' value labeled by version.", [
      'version',
      'revision',
      'goversion',
    ])
    .set(1, VERSION, '', `node ${process.version}`)
  const panics = figures.counter('coredns_panics_total', 'A metrics that counts the number of panics.')
  const answering = {
    cookies: new ServerCookies(options.cookieSecret),
    amplification: new Amplification(USUAL_AMPLIFICATION),
    nowMs: () => performance.now(),
    onFailure: (query: ServerQuery, what: string, error: unknown) => {
      panics.add(1)
      const text = error instanceof Error ? error.message : String(error)
      options.log('error', query.answeredBy, `${query.name()} ${query.type()}: ${what}: ${text}`)
    },
  }
  const plane = new DnsPlane({
    read: options.read,
    env: options.env,
    dnsPort: options.dnsPort ?? 53,
    metrics: figures,
    host: {
      now: () => Date.now(),
      steadyNow: () => performance.now(),
      random: () => Math.random(),
      ...options.host,
    },
    log: (plugin, settings) => logOf(plugin, settings, options),
    onPanic: () => panics.add(1),
    countsFor: (endpoint, zone, view) => queries.of(endpoint, zone, view),
    note: (level, text) => options.log(level, '', text),
    pluginsOf: (corefile, source) => withOutsidePlugins(BUILT_IN, corefile, source),
    isLed: options.isShared ?? false,
    open: (endpoint, answer) => openEndpoint(endpoint, answer, answering, options.isShared),
  })
  const elsewhere = new Answering(ELSEWHERE, (query) => plane.answerElsewhere(query), answering)
  return { plane, figures, answer: (bytes, peer) => elsewhere.answerBytes(bytes, peer) }
}

const logOf = (plugin: string, settings: DnsSettings, { log }: DnsOptions): DnsLog => ({
  debug: (text) => {
    if (settings.isDebug) log('debug', plugin, text)
  },
  info: (text) => log('info', plugin, text),
  warn: (text) => log('warn', plugin, text),
  error: (text) => log('error', plugin, text),
})
