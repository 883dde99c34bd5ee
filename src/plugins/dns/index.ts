/**
 * The plugins that are built in, in the order in which they stand in a chain, whatever order a Corefile names them in: one line a plugin.
 *
 * Each is a folder of this name, whose `plugin.ts` has it as its default export. It is loaded when a Corefile names it.
 */
import { readFile } from 'node:fs/promises'
import type { DnsPlugin } from '../../contract/dns.ts'

export const PLUGINS = [
  'root',
  'metadata',
  'geoip',
  'cancel',
  'tls',
  'timeouts',
  'reload',
  'nsid',
  'bufsize',
  'bind',
  'debug',
  'ready',
  'health',
  'prometheus',
  'errors',
  'log',
  'local',
  'dns64',
  'acl',
  'ratelimit',
  'any',
  'chaos',
  'loadbalance',
  'tsig',
  'cache',
  'rewrite',
  'header',
  'dnssec',
  'minimal',
  'unit',
  'template',
  'transfer',
  'hosts',
  'edge',
  'file',
  'auto',
  'secondary',
  'loop',
  'forward',
  'whoami',
  'view',
] as const

export type PluginName = (typeof PLUGINS)[number]

export const isPluginName = (name: string): name is PluginName =>
  (PLUGINS as readonly string[]).includes(name)

export async function loadPlugin(name: PluginName): Promise<DnsPlugin> {
  const { default: plugin } = (await import(`./${name}/plugin.ts`)) as { readonly default: DnsPlugin }
  return plugin
}

/** What its README says of it in a line; empty where there is none. */
export async function describePlugin(name: PluginName): Promise<string> {
  const text = await readFile(new URL(`${name}/README.md`, import.meta.url), 'utf8').catch(() => '')
  return new RegExp(`^\\*${name}\\* - (.*?)\\.?$`, 'm').exec(text)?.[1] ?? ''
}
