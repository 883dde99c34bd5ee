/** `orla restore`: a data directory from a backup. */
import { resolve } from 'node:path'
import { restoreBackup } from '../../backup/restore.ts'
import { UsageError } from '../arguments.ts'
import { type Command, EXIT, JSON_OPTION } from '../command.ts'
import { progressTo } from '../progress.ts'

export const command: Command = {
  name: 'restore',
  operands: 'FILE',
  operandsMin: 1,
  operandsMax: 1,
  text: 'Makes a data directory of what `orla backup` wrote. Every part is checked against its hash, and the log against its own, before anything takes its place. The folder has to be empty, or not there.',
  options: {
    to: { value: 'FOLDER', text: 'the data directory to make' },
    ...JSON_OPTION,
  },
  examples: [['orla restore nightly.tar --to data', 'then `orla start`']],
  exits: {
    1: 'FILE is damaged, cut or of a newer version, or FOLDER is not empty or in use; nothing was restored',
  },
  run: async (args, terminal) => {
    const to = args.text('to')
    if (to === undefined) throw new UsageError('--to FOLDER is missing')
    const file = args.operands[0]!
    const folder = resolve(terminal.cwd, to)
    const manifest = await restoreBackup(
      resolve(terminal.cwd, file),
      folder,
      progressTo(terminal, 'restored'),
    )
    if (args.flag('json')) {
      terminal.print(JSON.stringify({ folder: to, ...manifest }))
      return EXIT.done
    }
    const names = manifest.parts.map(({ name }) => name).join(', ')
    terminal.print(`${to}: position ${manifest.position.id}, ${names}`)
    if (!manifest.withKeys) {
      terminal.note('no keys were in it: put orla.key back where secrets of units are to be read')
    }
    return EXIT.done
  },
}
