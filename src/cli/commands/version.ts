/** `orla version`: what runs here. */
import { VERSION } from '../../base/version.ts'
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
    const { node } = process.versions
    const asJson = args.flag('json')
    terminal.print(asJson ? JSON.stringify({ version: VERSION, node }) : `orla ${VERSION} (node ${node})`)
    return EXIT.done
  },
}
