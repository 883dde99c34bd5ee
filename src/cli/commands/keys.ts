/** `orla keys`: keys that sign units. */
import { existsSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { EdgeError } from '../../base/errors.ts'
import { newKey, publicText } from '../../unit/signature.ts'
import { UsageError } from '../arguments.ts'
import { type Command, EXIT } from '../command.ts'
import { readKey } from '../sign.ts'

export const command: Command = {
  name: 'keys',
  operands: 'new FILE | show FILE',
  operandsMin: 2,
  operandsMax: 2,
  text: 'Makes a key that signs units (Ed25519): the private one goes into FILE, for its owner alone, the public one to standard output, for `control.units.trustedKeys` of the nodes that shall trust it. `show` prints the public one again.',
  options: {},
  examples: [
    ['orla keys new release.key', 'then `orla deploy --sign release.key FILE`'],
    ['orla keys show release.key', 'for one more node'],
  ],
  exits: { 1: 'the file is there already, or cannot be written; `show`: it holds no such key' },
  run: async (args, terminal) => {
    const [verb, file = ''] = args.operands
    if (verb !== 'new' && verb !== 'show') throw new UsageError(`"${verb}" is not new or show`)
    const path = resolve(terminal.cwd, file)
    terminal.print(verb === 'new' ? makeKey(path, file) : publicText(readKey(path)))
    return EXIT.done
  },
}

/** Returns the public half. */
function makeKey(path: string, file: string): string {
  if (existsSync(path))
    throw new EdgeError('file-unreadable', `${file} is there already`, {
      hint: 'give another name: a key is not written over; `orla keys show` prints its public half',
    })
  const { pem, trusted } = newKey()
  try {
    writeFileSync(path, pem, { mode: 0o600, flag: 'wx' })
  } catch (error) {
    throw new EdgeError('file-unreadable', `${file} cannot be written: ${(error as Error).message}`, {
      cause: error,
    })
  }
  return trusted
}
