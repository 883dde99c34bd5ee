/** `orla remove`: takes a unit away with all its versions. */
import type { ChangeResult } from '../../control/shapes.ts'
import { callTimeoutMs, changeWait, tellChange } from '../change.ts'
import { CHANGE_OPTIONS, type Command, CONTROL_OPTIONS, EXIT, JSON_OPTION } from '../command.ts'
import { ControlClient } from '../control-client.ts'

export const command: Command = {
  name: 'remove',
  operands: 'NAME',
  operandsMin: 1,
  operandsMax: 1,
  text: 'Removes a unit with all its versions. Requests in flight finish with it. To switch it off for a while: `orla disable`.',
  options: { ...CHANGE_OPTIONS, ...CONTROL_OPTIONS, ...JSON_OPTION },
  examples: [['orla remove token-auth', 'takes the unit away']],
  exits: { 1: 'there is no such unit', 2: 'not gone everywhere in time' },
  run: async (args, terminal) => {
    const waiting = changeWait(args)
    const path = `/v1/units/${encodeURIComponent(args.operands[0]!)}`
    const options = { body: waiting, timeoutMs: callTimeoutMs(waiting) }
    const result = (await ControlClient.from(args, terminal).call('DELETE', path, options)) as ChangeResult
    const { name, live, ms } = result
    const line = `removed ${name} from ${live.workers}/${live.of} workers in ${Math.round(ms)} ms`
    tellChange(args, terminal, result, line)
    return EXIT.done
  },
}
