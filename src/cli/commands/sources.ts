/** `orla sources`: where units come from that nobody deploys here, and what of it is not live. */
import type { SourceSummary } from '../../control/source-shapes.ts'
import { type Command, CONTROL_OPTIONS, EXIT, JSON_OPTION } from '../command.ts'
import { ControlClient } from '../control-client.ts'
import { table } from '../help.ts'

export const command: Command = {
  name: 'sources',
  operands: '',
  operandsMin: 0,
  operandsMax: 0,
  text: [
    'Lists the sources of the configuration, and each unit in them by its name there.',
    '`live`: as the source has it. `aside`: in a language that does not run yet. `refused`: it cannot run; the version from before stays. `foreign`: a unit of that name came from elsewhere, and stays. `waiting`: it is tried again.',
  ].join('\n'),
  options: { ...CONTROL_OPTIONS, ...JSON_OPTION },
  examples: [
    ['orla sources', 'all of them'],
    ['orla sources --json', 'for a script'],
  ],
  exits: { 1: 'the control plane does not answer' },
  run: async (args, terminal) => {
    const client = ControlClient.from(args, terminal)
    const sources = (await client.call('GET', '/v1/sources')) as SourceSummary[]
    terminal.print(args.flag('json') ? JSON.stringify(sources) : listText(sources))
    return EXIT.done
  },
}

function listText(sources: readonly SourceSummary[]): string {
  if (sources.length === 0) return 'no sources'
  return sources.map((source) => [headOf(source), ...rowsOf(source)].join('\n')).join('\n\n')
}

function headOf({ name, followed, readAt, problem, everySeconds }: SourceSummary): string {
  if (!followed) return `${name}: followed by the control plane`
  if (problem !== undefined) return `${name}: cannot be read: ${problem}`
  return readAt === undefined ? `${name}: not read yet` : `${name}: read every ${everySeconds} s`
}

function rowsOf({ units }: SourceSummary): string[] {
  if (units.length === 0) return []
  const rows = units.map(({ name, unit, state, reason = '' }) => [
    JSON.stringify(name).slice(1, -1),
    unit,
    state,
    reason,
  ])
  return [table(['NAME', 'UNIT', 'STATE', 'REASON'], rows)]
}
