/** `orla backup`: the data directory of a node in one file. */
import { resolve } from 'node:path'
import { takeBackup } from '../../backup/backup.ts'
import { loadConfig } from '../../config/load.ts'
import { type Command, EXIT, JSON_OPTION } from '../command.ts'
import { progressTo } from '../progress.ts'

export const command: Command = {
  name: 'backup',
  operands: 'FILE',
  operandsMin: 1,
  operandsMax: 1,
  text: [
    'Copies the data directory of a node into FILE (a tar archive, for its owner alone): units, sites and tokens with their whole log, the audit log, and key/value data. The node may run and be written to: the copy is what was committed when it began. FILE appears when it is whole; an older backup of that name is replaced.',
    'Keys are left out (orla.key, which opens the secrets of units, control.token, and certificates), unless --with-keys is given; so is `edge.cache`, which is empty after a start anyway.',
  ].join('\n'),
  options: {
    folder: { value: 'DATA', text: 'the data directory; without it `store.path` of the configuration' },
    config: { value: 'FILE', text: 'the configuration; without it orla.config.ts or orla.config.json here' },
    'with-keys': { text: 'keys, too: whoever has FILE can then read every secret' },
    ...JSON_OPTION,
  },
  examples: [
    ['orla backup nightly.tar', 'copies the data of the node that is configured here'],
    ['orla backup all.tar --folder /var/lib/orla --with-keys', 'all that another machine needs'],
  ],
  exits: { 1: 'there is no data, it is damaged, or FILE cannot be written' },
  run: async (args, terminal) => {
    const given = args.text('folder')
    const folder =
      given === undefined
        ? (await loadConfig(args.text('config'), terminal.cwd)).config.store.path
        : resolve(terminal.cwd, given)
    const withKeys = args.flag('with-keys')
    const file = args.operands[0]!
    const manifest = await takeBackup(resolve(terminal.cwd, folder), resolve(terminal.cwd, file), {
      withKeys,
      now: Date.now,
      onProgress: progressTo(terminal, 'copied'),
    })
    if (args.flag('json')) {
      terminal.print(JSON.stringify({ file, ...manifest }))
      return EXIT.done
    }
    const names = manifest.parts.map(({ name }) => name).join(', ')
    terminal.print(`${file}: position ${manifest.position.id}, ${names}`)
    terminal.note(
      withKeys
        ? 'it holds keys: whoever has it can read the secrets of units'
        : 'keys are not in it (orla.key, control.token, that of the ACME account): keep a copy of them apart, or give --with-keys',
    )
    return EXIT.done
  },
}
