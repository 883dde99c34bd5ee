/** `orla units`: what is deployed; with a name, all about one unit. */
import type { UnitDetail, UnitSummary } from '../../control/shapes.ts'
import { type Command, CONTROL_OPTIONS, EXIT, JSON_OPTION } from '../command.ts'
import { ControlClient } from '../control-client.ts'
import { table } from '../help.ts'
import { tailText } from '../tail-text.ts'

export const command: Command = {
  name: 'units',
  operands: '[NAME]',
  operandsMin: 0,
  operandsMax: 1,
  text: 'Lists the units: the live version, its state, its phases, and what it matches. With NAME, also its limits, environment, versions and last errors.',
  options: { ...CONTROL_OPTIONS, ...JSON_OPTION },
  examples: [
    ['orla units', 'lists all'],
    ['orla units token-auth --json', 'tells all about one, for a script'],
  ],
  exits: { 1: 'there is no such unit, or the control plane does not answer' },
  run: async (args, terminal) => {
    const control = ControlClient.from(args, terminal)
    const [name] = args.operands
    const path = name === undefined ? '/v1/units' : `/v1/units/${encodeURIComponent(name)}`
    const answer = await control.call('GET', path)
    if (args.flag('json')) terminal.print(JSON.stringify(answer))
    else
      terminal.print(
        name === undefined ? listText(answer as UnitSummary[]) : detailText(answer as UnitDetail),
      )
    return EXIT.done
  },
}

function listText(units: readonly UnitSummary[]): string {
  if (units.length === 0) return 'no units; `orla deploy FILE` makes one'
  return table(
    ['NAME', 'VERSION', 'STATE', 'PHASES', 'MATCHES', 'DEPLOYED'],
    units.map((unit) => [
      unit.name,
      String(unit.version),
      stateText(unit),
      unit.phases.join(','),
      matchText(unit),
      timeText(unit.deployedAt),
    ]),
  )
}

function detailText(unit: UnitDetail): string {
  const { limits, limit, isolation, onError, priority, nodes } = unit.manifest
  const env = [
    ...Object.entries(unit.envValues).map(([key, value]) => `${key}=${value}`),
    ...unit.secrets.map((key) => `${key}=(secret)`),
  ]
  const rows = [
    ['unit', `${unit.name}@${unit.version}`],
    ['state', stateText(unit)],
    ...(unit.barred === undefined ? [] : [['not run', unit.barred]]),
    ['phases', unit.phases.join(', ')],
    ['matches', matchText(unit)],
    ['nodes', nodes.join(', ') || 'all'],
    ['priority', String(priority)],
    ['on error', onError ?? 'closed before the answer, open after it'],
    ['limits', `${limits.cpuMs} ms of CPU a call, ${limits.wallMs} ms, ${limits.memoryMb} MB`],
    ...(limit === undefined ? [] : [['takes of', limit.map(limitText).join(', ')]]),
    ['isolation', isolation],
    ['env', env.join(', ') || 'none'],
    ['versions', unit.versions.map(({ version, live }) => (live ? `${version} (live)` : version)).join(', ')],
  ]
  const facts = rows.map(([key, value]) => `${key!.padEnd(9)}  ${value}`)
  return [
    ...facts,
    ...(unit.errors.length > 0 ? ['', 'last errors:'] : []),
    ...unit.errors.map(tailText),
  ].join('\n')
}

/** A name, or the words of a limit of its own. */
const limitText = (limit: string | Readonly<Record<string, unknown>>): string =>
  typeof limit === 'string' ? limit : JSON.stringify(limit)

function stateText({ state, quarantine, rollout }: UnitSummary): string {
  const own = quarantine === undefined ? state : `${state} (${quarantine.reason})`
  if (!rollout) return own
  const { version, kind, reach, state: how } = rollout
  return `${own}, ${version} ${kind === 'shadow' ? 'as a shadow for' : 'at'} ${reach}${how === 'paused' ? ', paused' : ''}`
}

function matchText({ manifest }: UnitSummary): string {
  const { hosts, paths, methods, sample } = manifest
  const parts = [
    hosts.join(','),
    paths.join(','),
    methods.join(','),
    sample.share === 1 ? '' : `${sample.share * 100}% by ${sample.by}`,
  ]
  return parts.filter((part) => part !== '').join(' ') || 'all'
}

export const timeText = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z')
