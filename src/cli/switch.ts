/** `orla disable` and `orla enable`: the same switch, for one unit or for all of them at once. */
import type { ChangeResult } from '../control/shapes.ts'
import { UsageError } from './arguments.ts'
import { callTimeoutMs, changeWait, tellChange } from './change.ts'
import { CHANGE_OPTIONS, type Command, CONTROL_OPTIONS, EXIT, JSON_OPTION } from './command.ts'
import { ControlClient } from './control-client.ts'

export const switchCommand = (verb: 'disable' | 'enable', text: string): Command => ({
  name: verb,
  operands: 'NAME',
  operandsMin: 0,
  operandsMax: 1,
  text,
  options: {
    all: { text: 'all units, instead of NAME' },
    ...CHANGE_OPTIONS,
    ...CONTROL_OPTIONS,
    ...JSON_OPTION,
  },
  examples: [
    [`orla ${verb} token-auth`, `${verb}s one unit`],
    [`orla ${verb} --all`, `${verb}s all units at once`],
  ],
  exits: { 1: 'there is no such unit', 2: 'not done everywhere in time' },
  run: async (args, terminal) => {
    const [name] = args.operands
    const all = args.flag('all')
    if (all === (name !== undefined)) throw new UsageError('give either NAME or --all')
    const waiting = changeWait(args)
    const path = name === undefined ? `/v1/${verb}` : `/v1/units/${encodeURIComponent(name)}/${verb}`
    const result = (await ControlClient.from(args, terminal).call('POST', path, {
      body: waiting,
      timeoutMs: callTimeoutMs(waiting),
    })) as ChangeResult
    const { live, ms } = result
    const line = `${verb}d ${name ?? 'all units'} on ${live.workers}/${live.of} workers in ${Math.round(ms)} ms`
    tellChange(args, terminal, result, line)
    return EXIT.done
  },
})
