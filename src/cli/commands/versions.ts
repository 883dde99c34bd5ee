/** `orla versions`: the versions of a unit that are kept. */
import type { VersionSummary } from '../../control/shapes.ts'
import { type Command, CONTROL_OPTIONS, EXIT, JSON_OPTION } from '../command.ts'
import { ControlClient } from '../control-client.ts'
import { table } from '../help.ts'
import { timeText } from './units.ts'

export const command: Command = {
  name: 'versions',
  operands: 'NAME',
  operandsMin: 1,
  operandsMax: 1,
  text: 'Lists the versions of a unit that are kept, the newest first; `orla rollback NAME --to VERSION` goes back to one.',
  options: { ...CONTROL_OPTIONS, ...JSON_OPTION },
  examples: [['orla versions token-auth', 'lists them']],
  exits: { 1: 'there is no such unit, or the control plane does not answer' },
  run: async (args, terminal) => {
    const path = `/v1/units/${encodeURIComponent(args.operands[0]!)}/versions`
    const versions = (await ControlClient.from(args, terminal).call('GET', path)) as VersionSummary[]
    if (args.flag('json')) terminal.print(JSON.stringify(versions))
    else {
      const rows = versions.map(({ version, live, quarantined, rollout, at }) => [
        String(version),
        [live ? 'live' : '', rollout ?? '', quarantined ? 'quarantined' : '']
          .filter((word) => word !== '')
          .join(', '),
        timeText(at),
      ])
      terminal.print(table(['VERSION', 'STATE', 'AT'], rows))
    }
    return EXIT.done
  },
}
