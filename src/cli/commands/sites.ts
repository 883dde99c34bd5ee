/** `orla sites`: what the node serves, and changes of it while it runs. */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { readConfigFile } from '../../config/load.ts'
import type { SiteChange, SiteSummary } from '../../control/shapes.ts'
import { type Arguments, UsageError } from '../arguments.ts'
import { callTimeoutMs, changeWait, tellChange, waitQuery } from '../change.ts'
import {
  CHANGE_OPTIONS,
  type Command,
  CONTROL_OPTIONS,
  EXIT,
  type ExitCode,
  JSON_OPTION,
  type Terminal,
} from '../command.ts'
import { ControlClient } from '../control-client.ts'
import { table } from '../help.ts'
import { siteChangeText } from '../../control/site-text.ts'
import { timeText } from './units.ts'

export const command: Command = {
  name: 'sites',
  operands: '[show NAME | set FILE… | set NAME… --origin URL | remove NAME…]',
  operandsMin: 0,
  operandsMax: Infinity,
  text: [
    'Lists the sites, or changes them while the node runs: checked as a whole, live on all workers at one moment. Requests in flight finish with what they started with.',
    '`set FILE…` takes .json or .ts files that hold a site, a list of sites, or a configuration with `sites`; all of them go live or none. Sites that are not named stay.',
    '`set NAME… --origin URL` makes or replaces a site in one line; without --hosts its name is its host.',
    'What is set here lives in the store, over restarts; a reload of the configuration file wins for the sites that the file names.',
  ].join('\n'),
  options: {
    origin: {
      value: 'URL',
      many: true,
      text: 'of `set NAME`: where requests go, such as http://127.0.0.1:9000',
    },
    hosts: { value: 'LIST', many: true, text: 'of `set NAME`: hosts, separated by commas' },
    paths: {
      value: 'LIST',
      many: true,
      text: 'of `set NAME`: paths of these hosts, separated by commas, such as /hls/*; without it all',
    },
    cache: {
      value: 'SIZE',
      text: 'of `set NAME`: memory of its cache, such as 64mb; without it nothing is cached',
    },
    'if-version': {
      value: 'N',
      text: 'change it only where it is at this version still; 0: only where there is none',
    },
    ...CHANGE_OPTIONS,
    ...CONTROL_OPTIONS,
    ...JSON_OPTION,
  },
  examples: [
    ['orla sites', 'lists all'],
    ['orla sites show tv.example.com', 'tells all about one'],
    ['orla sites set tv.json shop.json', 'makes what the files hold live, at one moment'],
    ['orla sites set tv.example.com --origin http://127.0.0.1:9000 --cache 64mb', 'makes one without a file'],
    [
      "orla sites set tv-api --hosts tv.example.com --paths '/api/*' --origin http://127.0.0.1:9001",
      'makes one of a part of a host',
    ],
    ['orla sites remove tv.example.com', 'takes one away'],
  ],
  exits: { 1: 'refused: what is live stays', 2: 'not live everywhere in time' },
  run: async (args, terminal) => {
    const [verb, ...names] = args.operands
    const control = ControlClient.from(args, terminal)
    if (verb === undefined) return list(control, args, terminal)
    if (verb !== 'show' && verb !== 'set' && verb !== 'remove') {
      throw new UsageError(`"${verb}" is not show, set or remove`)
    }
    if (names.length === 0) throw new UsageError(`${verb} needs a name${verb === 'set' ? ' or a file' : ''}`)
    if (verb === 'show') return show(names, control, args, terminal)
    return verb === 'set' ? set(names, control, args, terminal) : remove(names, control, args, terminal)
  },
}

async function list(control: ControlClient, args: Arguments, terminal: Terminal): Promise<ExitCode> {
  const sites = (await control.call('GET', '/v1/sites')) as SiteSummary[]
  if (args.flag('json')) terminal.print(JSON.stringify(sites))
  else if (sites.length === 0) terminal.print('no sites; `orla sites set NAME --origin URL` makes one')
  else {
    const rows = sites.map(({ name, hosts, paths, site, from, at }) => [
      name,
      shortList(hosts),
      shortList(paths),
      originText(site),
      from,
      timeText(at),
    ])
    terminal.print(table(['NAME', 'HOSTS', 'PATHS', 'ORIGIN', 'FROM', 'CHANGED'], rows))
  }
  return EXIT.done
}

async function show(
  names: readonly string[],
  control: ControlClient,
  args: Arguments,
  terminal: Terminal,
): Promise<ExitCode> {
  for (const name of names) {
    const found = (await control.call('GET', pathOf(name))) as SiteSummary
    if (args.flag('json')) {
      terminal.print(JSON.stringify(found))
      continue
    }
    const rows = [
      ['site', found.name],
      ['hosts', found.hosts.join(', ')],
      ['paths', found.paths.join(', ')],
      ['from', found.from === 'file' ? 'the configuration file' : 'set live'],
      ['version', String(found.version)],
      ['changed', timeText(found.at)],
    ]
    for (const [key, value] of rows) terminal.print(`${key!.padEnd(9)}  ${value}`)
    terminal.print(JSON.stringify(found.site, null, 2))
  }
  return EXIT.done
}

async function set(
  operands: readonly string[],
  control: ControlClient,
  args: Arguments,
  terminal: Terminal,
): Promise<ExitCode> {
  const sites = args.flag('origin')
    ? operands.map((name) => siteFrom(name, args))
    : (await Promise.all(operands.map((file) => readSites(file, terminal)))).flat()
  const waiting = changeWait(args)
  const condition = conditionFrom(args, sites.length)
  const options = { timeoutMs: callTimeoutMs(waiting), ...condition }
  const [site] = sites
  const name = site && nameOf(site)
  // A condition is about one site.
  const result = (
    condition.headers && name !== undefined
      ? await control.call('PUT', pathOf(name), { ...options, body: site, query: waitQuery(waiting) })
      : await control.call('POST', '/v1/sites', { ...options, body: { sites, ...waiting } })
  ) as SiteChange
  tellChange(args, terminal, result, siteChangeText(result))
  return EXIT.done
}

async function remove(
  names: readonly string[],
  control: ControlClient,
  args: Arguments,
  terminal: Terminal,
): Promise<ExitCode> {
  const waiting = changeWait(args)
  const condition = conditionFrom(args, names.length)
  for (const name of names) {
    const options = { body: waiting, timeoutMs: callTimeoutMs(waiting), ...condition }
    const result = (await control.call('DELETE', pathOf(name), options)) as SiteChange
    tellChange(args, terminal, result, siteChangeText(result))
  }
  return EXIT.done
}

const pathOf = (name: string): string => `/v1/sites/${encodeURIComponent(name)}`

function siteFrom(name: string, args: Arguments): object {
  const hosts = args.list('hosts')
  const paths = args.list('paths')
  const endpoints = args.all('origin')
  const ram = args.text('cache')
  return {
    ...((hosts ?? paths) && { name }),
    hosts: hosts ?? [name],
    ...(paths && { paths }),
    origin: endpoints.length === 1 ? endpoints[0] : { endpoints },
    ...(ram !== undefined && { cache: { ram } }),
  }
}

async function readSites(file: string, terminal: Terminal): Promise<readonly object[]> {
  const path = resolve(terminal.cwd, file)
  if (!existsSync(path) && !/\.(?:json|ts)$/.test(file)) {
    throw new UsageError(`there is no file ${file}; to make a site of that name, give --origin URL`)
  }
  const value = await readConfigFile(path)
  if (Array.isArray(value)) return value as object[]
  const { sites } = (value ?? {}) as { readonly sites?: readonly object[] }
  if (Array.isArray(sites)) return sites as object[]
  if (typeof value === 'object' && value !== null) return [value]
  throw new UsageError(`${file} holds neither a site, nor a list of sites, nor a configuration with sites`)
}

function nameOf(site: object): string {
  const { name, hosts } = site as { readonly name?: unknown; readonly hosts?: readonly unknown[] }
  return String(name ?? hosts?.[0] ?? '*')
}

function conditionFrom(
  args: Arguments,
  count: number,
): { readonly headers?: Readonly<Record<string, string>> } {
  const version = args.number('if-version', 0, Number.MAX_SAFE_INTEGER)
  if (version === undefined) return {}
  if (count !== 1) throw new UsageError('--if-version is about one site')
  return { headers: version === 0 ? { 'if-none-match': '*' } : { 'if-match': `"${version}"` } }
}

const shortList = (hosts: readonly string[]): string =>
  hosts.length <= 3 ? hosts.join(',') : `${hosts.slice(0, 3).join(',')} and ${hosts.length - 3} more`

function originText({ origin, ...site }: Readonly<Record<string, unknown>>): string {
  if (typeof origin === 'string') return origin
  const { endpoints } = (origin ?? {}) as { readonly endpoints?: readonly unknown[] }
  const files = site['static'] as string | { readonly root?: unknown } | undefined
  if (!endpoints) return typeof files === 'object' ? String(files.root ?? '') : (files ?? '')
  const urls = endpoints.map((one) =>
    typeof one === 'object' ? String((one as { readonly url?: unknown })?.url ?? '') : String(one),
  )
  return shortList(urls)
}
