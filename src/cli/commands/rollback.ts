/** `orla rollback`: makes an earlier version of a unit live again. */
import type { ChangeResult } from '../../control/shapes.ts'
import { callTimeoutMs, changeWait, tellChange } from '../change.ts'
import { CHANGE_OPTIONS, type Command, CONTROL_OPTIONS, EXIT, JSON_OPTION } from '../command.ts'
import { ControlClient } from '../control-client.ts'

export const command: Command = {
  name: 'rollback',
  operands: 'NAME',
  operandsMin: 1,
  operandsMax: 1,
  text: 'Makes the version before the live one live again, with its code, fields and environment; `orla versions NAME` lists them.',
  options: {
    to: { value: 'VERSION', text: 'the version to go to, instead of the one before' },
    ...CHANGE_OPTIONS,
    ...CONTROL_OPTIONS,
    ...JSON_OPTION,
  },
  examples: [
    ['orla rollback token-auth', 'goes one version back'],
    ['orla rollback token-auth --to 3', 'goes to version 3'],
  ],
  exits: { 1: 'there is no such unit or version', 2: 'not live everywhere in time' },
  run: async (args, terminal) => {
    const waiting = changeWait(args)
    const version = args.number('to', 1, Number.MAX_SAFE_INTEGER)
    const result = (await ControlClient.from(args, terminal).call(
      'POST',
      `/v1/units/${encodeURIComponent(args.operands[0]!)}/rollback`,
      { body: { ...waiting, ...(version !== undefined && { version }) }, timeoutMs: callTimeoutMs(waiting) },
    )) as ChangeResult
    const { name, version: live, live: on, ms } = result
    const line = `rolled back ${name} to ${live} live on ${on.workers}/${on.of} workers in ${Math.round(ms)} ms`
    tellChange(args, terminal, result, line)
    return EXIT.done
  },
}
