/** `orla limits`: what limits allowed and refused, and who asked most of one. */
import type { LimitSummary, LimitTopSummary } from '../../control/limit-shapes.ts'
import { type Arguments, UsageError } from '../arguments.ts'
import { type Command, CONTROL_OPTIONS, EXIT, JSON_OPTION, type Terminal } from '../command.ts'
import { ControlClient } from '../control-client.ts'
import { table } from '../help.ts'
import { printable } from '../tail-text.ts'

export const command: Command = {
  name: 'limits',
  operands: '[top NAME]',
  operandsMin: 0,
  operandsMax: 2,
  text: [
    'Lists the limits of sites and those over all of them, and what they allowed and refused on this node since it started. KEYS have something used up now, of as many as are counted each by itself (prefixes of addresses are keys, too); a dash stands where all share the cells of a sketch. The refused of a dry run were let through.',
    '`top` lists who asked most of the limit NAME in the last minutes, allowed or not: addresses and the prefixes around them, or what else it counts by. These are estimates: a count may be too high by what stands behind the minus.',
  ].join('\n'),
  options: {
    site: { value: 'SITE', text: 'of this site alone; an empty one for those over all sites' },
    count: { value: 'N', text: 'of `top`, how many: 1 to 500, 20 unless said' },
    ...CONTROL_OPTIONS,
    ...JSON_OPTION,
  },
  examples: [
    ['orla limits', 'all of them'],
    ['orla limits top login', 'who asked most of one'],
    ['orla limits top login --site shop.example.com --count 100 --json', 'a hundred of them, for a script'],
  ],
  exits: { 1: 'there is no such limit or site, or the control plane does not answer' },
  run: async (args, terminal) => {
    const [verb, name] = args.operands
    if (verb === undefined) return list(args, terminal)
    if (verb !== 'top') throw new UsageError(`"${verb}" is not \`top\``)
    if (name === undefined) throw new UsageError('`top` needs the name of a limit; `orla limits` lists them')
    const query = { name, site: args.text('site'), count: args.text('count') }
    const client = ControlClient.from(args, terminal)
    const top = (await client.call('GET', '/v1/limits/top', { query })) as LimitTopSummary[]
    terminal.print(args.flag('json') ? JSON.stringify(top) : topText(top))
    return EXIT.done
  },
}

async function list(args: Arguments, terminal: Terminal): Promise<number> {
  if (args.text('count') !== undefined) throw new UsageError('--count goes with `top NAME`')
  const client = ControlClient.from(args, terminal)
  const query = { site: args.text('site') }
  const limits = (await client.call('GET', '/v1/limits', { query })) as LimitSummary[]
  terminal.print(args.flag('json') ? JSON.stringify(limits) : limitsText(limits))
  return EXIT.done
}

export function limitsText(limits: readonly LimitSummary[]): string {
  if (limits.length === 0) return 'there are no limits'
  const rows = limits.map(
    ({ site, name, policy, dryRun, allowed, refused, wouldRefuse, waited, keys, keysMax }) => [
      site === '' ? '(all)' : site,
      name,
      dryRun ? `${policy} (dry run)` : policy,
      String(allowed + waited),
      String(dryRun ? wouldRefuse : refused),
      keys === undefined ? '-' : `${keys}/${keysMax}`,
    ],
  )
  return table(['SITE', 'LIMIT', 'POLICY', 'ALLOWED', 'REFUSED', 'KEYS'], rows)
}

const KEY_SHOWN = 200

function topText(top: readonly LimitTopSummary[]): string {
  if (top.length === 0) return 'nobody asked in the last minutes'
  const rows = top.map(({ key, count, excess }) => [
    excess === 0 ? String(count) : `${count} -${excess}`,
    shown(key),
  ])
  return table(['COUNT', 'KEY'], rows)
}

function shown(key: string): string {
  const line = printable(key).replaceAll('\n', ' ')
  return line.length > KEY_SHOWN ? `${line.slice(0, KEY_SHOWN)}…` : line
}
