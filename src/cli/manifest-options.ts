/** The fields of a unit that an operator may give with a deploy; they win over those in the module. */
import { type Arguments, UsageError } from './arguments.ts'
import type { Option } from './command.ts'

export const MANIFEST_OPTIONS = {
  hosts: { value: 'HOST,…', many: true, text: 'hosts of the request: exact, or *.example.com' },
  paths: { value: 'PATH,…', many: true, text: 'paths of the request: exact, or a prefix that ends in *' },
  methods: { value: 'METHOD,…', many: true, text: 'methods of the request' },
  nodes: { value: 'NODE,…', many: true, text: 'edge nodes that run it, by name or by group:NAME' },
  priority: { value: 'N', text: 'higher ones run first' },
  sample: {
    value: 'SHARE[,BY]',
    text: 'share of requests that run it, 0 to 1; BY is random, address or cookie:NAME',
  },
  'on-error': { value: 'closed|open|lastGood', text: 'what happens to the request when the unit fails' },
  isolation: { value: 'process|inline', text: 'inline runs trusted code in the worker itself' },
  every: { value: 'TIME', text: 'how often its timer runs, such as 20s' },
  cron: { value: 'LINE', text: 'when its timer runs, such as "0 4 * * *", in UTC' },
  kv: { value: 'NAME', text: 'the namespace of edge.kv, shared by all units that name it' },
  limit: {
    value: 'NAME|RATE',
    many: true,
    text: 'what a request takes of first: a limit by its name, or such as 10/1m for each address',
  },
  'cpu-ms': { value: 'MS', text: 'CPU time of one call, at most' },
  'wall-ms': { value: 'MS', text: 'time until an async handler settles, at most' },
  'memory-mb': { value: 'MB', text: 'heap of the unit, at most' },
  manifest: { value: 'JSON', text: 'any of these fields as an object; the options above win over it' },
} as const satisfies Record<string, Option>

/** Only what was given: ranges and hosts are checked by the control plane, which knows the module's own fields too. */
export function manifestFrom(args: Arguments): Readonly<Record<string, unknown>> {
  const given = {
    hosts: args.list('hosts'),
    paths: args.list('paths'),
    methods: args.list('methods')?.map((method) => method.toUpperCase()),
    nodes: args.list('nodes'),
    priority: args.number('priority', -1_000_000, 1_000_000),
    sample: sampleFrom(args),
    onError: args.choice('on-error', ['closed', 'open', 'lastGood']),
    isolation: args.choice('isolation', ['process', 'inline']),
    every: args.text('every'),
    cron: args.text('cron'),
    kv: args.text('kv'),
    limit: args.list('limit'),
  }
  const base = baseFrom(args)
  const baseLimits = typeof base['limits'] === 'object' ? base['limits'] : {}
  const limits = present({
    cpuMs: args.number('cpu-ms', 1, 1000),
    wallMs: args.number('wall-ms', 1, 60_000),
    memoryMb: args.number('memory-mb', 8, 512),
  })
  const merged = Object.keys(limits).length === 0 ? {} : { limits: { ...baseLimits, ...limits } }
  return { ...base, ...present(given), ...merged }
}

function sampleFrom(args: Arguments): unknown {
  const given = args.text('sample')
  if (given === undefined) return undefined
  const [share = '', by = 'random'] = given.split(',').map((part) => part.trim())
  const value = Number(share)
  if (share !== '' && value >= 0 && value <= 1 && /^(?:random|address|cookie:[^\s;=,]+)$/.test(by)) {
    return { share: value, by }
  }
  throw new UsageError(
    `--sample takes a share from 0 to 1 and by what, such as 0.1,cookie:id, not "${given}"`,
  )
}

function baseFrom(args: Arguments): Readonly<Record<string, unknown>> {
  const given = args.text('manifest')
  if (given === undefined) return {}
  let value: unknown
  try {
    value = JSON.parse(given)
  } catch (error) {
    throw new UsageError(`--manifest is not JSON: ${(error as Error).message}`)
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value }
  throw new UsageError('--manifest takes a JSON object')
}

const present = (fields: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
