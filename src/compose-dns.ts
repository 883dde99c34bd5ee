/** Puts the DNS plane together: servers, Corefile, plugins. For `orla dns` alone and for a worker of a node. */
import type { DnsHost, DnsLog, DnsSettings } from './contract/dns.ts'
import type { CorefileSource } from './dns/corefile/corefile.ts'
import { DnsFigures } from './dns/metrics.ts'
import { withOutsidePlugins } from './dns/outside-plugins.ts'
import { Amplification, USUAL_AMPLIFICATION } from './dns/server/amplification.ts'
import { openEndpoint } from './dns/server/open-endpoint.ts'
import { ServerCookies } from './dns/server/server-cookies.ts'
import { DnsPlane } from './dns/plane.ts'
import type { PluginOrder } from './dns/server-blocks.ts'
import { isPluginName, loadPlugin, PLUGINS } from './plugins/dns/index.ts'

export { CorefileError } from './dns/corefile/corefile-error.ts'
export type { CorefileSource } from './dns/corefile/corefile.ts'
export type { DnsPlane } from './dns/plane.ts'

export type DnsLogLevel = 'debug' | 'info' | 'warn' | 'error'

export interface DnsOptions {
  /** Reads the Corefile, at the start and at each reload. */
  read(): Promise<CorefileSource>
  readonly env: Readonly<NodeJS.ProcessEnv>
  /** Port of zones without one; 53 unless said. */
  readonly dnsPort?: number
  readonly host?: Partial<DnsHost>
  /** A line of the log; `plugin` is empty for the plane itself. */
  log(level: DnsLogLevel, plugin: string, text: string): void
}

export interface ComposedDns {
  readonly plane: DnsPlane
  readonly figures: DnsFigures
}

/** Those that come with Orla, in their order. */
const BUILT_IN: PluginOrder = {
  names: PLUGINS,
  load: (name) => {
    if (!isPluginName(name)) throw new TypeError(`no plugin is named ${name}`)
    return loadPlugin(name)
  },
}

export function composeDns(options: DnsOptions): ComposedDns {
  const figures = new DnsFigures()
  const panics = figures.counter('coredns_panics_total', 'A metrics that counts the number of panics.')
  const answering = {
    cookies: new ServerCookies(),
    amplification: new Amplification(USUAL_AMPLIFICATION),
    nowMs: () => performance.now(),
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
    warn: (text) => options.log('warn', '', text),
    pluginsOf: (corefile, source) => withOutsidePlugins(BUILT_IN, corefile, source),
    open: (endpoint, answer) => openEndpoint(endpoint, answer, answering),
  })
  return { plane, figures }
}

const logOf = (plugin: string, settings: DnsSettings, { log }: DnsOptions): DnsLog => ({
  debug: (text) => {
    if (settings.isDebug) log('debug', plugin, text)
  },
  info: (text) => log('info', plugin, text),
  warn: (text) => log('warn', plugin, text),
  error: (text) => log('error', plugin, text),
})
