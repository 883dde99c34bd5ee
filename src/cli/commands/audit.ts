/** `orla audit`: who changed what. */
import type { AuditLine } from '../../control/access-shapes.ts'
import { type Command, CONTROL_OPTIONS, EXIT, JSON_OPTION } from '../command.ts'
import { ControlClient } from '../control-client.ts'
import { table } from '../help.ts'
import { timeText } from './units.ts'

export const command: Command = {
  name: 'audit',
  operands: '',
  operandsMin: 0,
  operandsMax: 0,
  text: 'Prints the audit log: who changed what, from where, with what result, and who was refused. The newest come last. It is append-only, and its entries are chained by hashes; --verify checks the whole chain.',
  options: {
    limit: { value: 'N', text: 'entries to print, 50 unless said, 1000 at most' },
    before: { value: 'ID', text: 'only entries before this one' },
    verify: { text: 'checks that no entry was changed or taken out' },
    ...CONTROL_OPTIONS,
    ...JSON_OPTION,
  },
  examples: [
    ['orla audit', 'the last changes'],
    ['orla audit --limit 1000 --json', 'for a script'],
  ],
  exits: { 1: 'the token may not read it, or the chain is broken' },
  run: async (args, terminal) => {
    const control = ControlClient.from(args, terminal)
    if (args.flag('verify')) {
      const verdict = (await control.call('GET', '/v1/audit/verify')) as { ok: boolean; brokenAt?: number }
      if (args.flag('json')) terminal.print(JSON.stringify(verdict))
      else
        terminal.print(
          verdict.ok
            ? 'the audit log is as it was written'
            : `the audit log is broken from entry ${verdict.brokenAt}`,
        )
      return verdict.ok ? EXIT.done : EXIT.refused
    }
    const query = {
      limit: args.number('limit', 1, 1000) ?? 50,
      before: args.number('before', 1, Number.MAX_SAFE_INTEGER),
    }
    const lines = ((await control.call('GET', '/v1/audit', { query })) as AuditLine[]).toReversed()
    terminal.print(args.flag('json') ? JSON.stringify(lines) : listText(lines))
    return EXIT.done
  },
}

const listText = (lines: readonly AuditLine[]): string =>
  table(
    ['ID', 'AT', 'WHO', 'FROM', 'ACTION', 'SUBJECT', 'RESULT', 'POSITION'],
    lines.map(({ id, at, who, name, address, action, subject, result, position }) => [
      String(id),
      timeText(at),
      name === '' || name === who ? who : `${name} (${who})`,
      address,
      action,
      subject,
      result,
      String(position),
    ]),
  )
