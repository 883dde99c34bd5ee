/** `orla unban`: lets addresses and prefixes in again, on all nodes. */
import type { Unbanned } from '../../control/ban-shapes.ts'
import { UsageError } from '../arguments.ts'
import { callTimeoutMs, changeWait } from '../change.ts'
import { CHANGE_OPTIONS, type Command, CONTROL_OPTIONS, EXIT, JSON_OPTION } from '../command.ts'
import { ControlClient } from '../control-client.ts'
import { settledLine } from './ban.ts'

const { wait, timeout } = CHANGE_OPTIONS

export const command: Command = {
  name: 'unban',
  operands: '[ADDRESS|PREFIX…]',
  operandsMin: 0,
  operandsMax: Infinity,
  text: [
    'Lifts bans: those that are named, as they were banned, all of them or none. An address within a prefix that is banned is let in by lifting that prefix: `orla bans ADDRESS` tells which it is.',
  ].join('\n'),
  options: {
    all: { text: 'lifts all of them' },
    wait,
    timeout,
    ...CONTROL_OPTIONS,
    ...JSON_OPTION,
  },
  examples: [
    ['orla unban 192.0.2.7', 'lets it in again'],
    ['orla unban --all', 'lets everybody in'],
  ],
  exits: {
    1: 'refused: one of them is not banned, and nothing was changed',
    2: 'not in force everywhere in time; it is in the log, and goes on',
  },
  run: async (args, terminal) => {
    const isAll = args.flag('all')
    if (isAll && args.operands.length > 0)
      throw new UsageError('--all stands alone: without it, what is named is lifted')
    if (!isAll && args.operands.length === 0) throw new UsageError('give an address, a prefix, or --all')
    const waiting = changeWait(args)
    const result = (await ControlClient.from(args, terminal).call('DELETE', '/v1/bans', {
      body: { ...(isAll ? { all: true } : { prefixes: args.operands }), ...waiting },
      timeoutMs: callTimeoutMs(waiting),
    })) as Unbanned
    if (args.flag('json')) {
      terminal.print(JSON.stringify(result))
      return EXIT.done
    }
    const { lifted, ...settled } = result
    for (const prefix of isAll ? [] : lifted) terminal.print(`lifted the ban of ${prefix}`)
    if (isAll) terminal.print(`lifted ${lifted.length} ${lifted.length === 1 ? 'ban' : 'bans'}`)
    terminal.print(settledLine(settled, waiting.wait === 'stored'))
    return EXIT.done
  },
}
