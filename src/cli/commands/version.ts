/** `orla version`: what runs here. */
import { readFile } from 'node:fs/promises'
import { type Command, EXIT, JSON_OPTION } from '../command.ts'

export const command: Command = {
  name: 'version',
  operands: '',
  operandsMin: 0,
  operandsMax: 0,
  text: 'Prints the version of Orla and of the Node that runs it.',
  options: JSON_OPTION,
  examples: [],
  exits: {},
  run: async (args, terminal) => {
    const manifest = await readFile(new URL('../../../package.json', import.meta.url), 'utf8')
    const { version } = JSON.parse(manifest) as { readonly version: string }
    const node = process.versions.node
    terminal.print(args.flag('json') ? JSON.stringify({ version, node }) : `orla ${version} (node ${node})`)
    return EXIT.done
  },
}
