/** `orla upgrade`: the program that is installed now takes over from the one that runs. */
import type { UpgradeResult } from '../../control/shapes.ts'
import { type Command, CONTROL_OPTIONS, EXIT, JSON_OPTION } from '../command.ts'
import { ControlClient } from '../control-client.ts'

/** What the node gives the new program to prepare and to serve, and a little more. */
const TIMEOUT_MS = 280_000

export const command: Command = {
  name: 'upgrade',
  operands: '',
  operandsMin: 0,
  operandsMax: 0,
  text: [
    'Starts the program anew from the path that the running one was started by, and hands everything over to it: the listening sockets, the store and the key/value data. Install the new version there first.',
    'No connection is refused or cut: the new one takes what is new, and the old one finishes what is in progress (at most `edge.limits.drain`) and ends. The whole configuration is read anew, also what a reload cannot change.',
    'Where the new program does not come to serve, nothing changes: the one that runs goes on, and the reason is told.',
  ].join('\n'),
  options: { ...CONTROL_OPTIONS, ...JSON_OPTION },
  examples: [
    ['orla upgrade', 'after `npm install` put another version in its place, or the configuration was edited'],
  ],
  exits: { 1: 'the new program did not take over: the one before goes on' },
  run: async (args, terminal) => {
    const client = ControlClient.from(args, terminal)
    const result = (await client.call('POST', '/v1/upgrade', { timeoutMs: TIMEOUT_MS })) as UpgradeResult
    if (args.flag('json')) terminal.print(JSON.stringify(result))
    else {
      const { pid, version, before, ms } = result
      terminal.print(
        `orla ${version} serves as process ${pid} after ${ms} ms; process ${before} finishes what is in progress`,
      )
    }
    return EXIT.done
  },
}
