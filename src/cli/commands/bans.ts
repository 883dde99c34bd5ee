/** `orla bans`: who is kept out, until when, why, and who asked for it. */
import type { BanList } from '../../control/ban-shapes.ts'
import { type Command, CONTROL_OPTIONS, EXIT, JSON_OPTION } from '../command.ts'
import { ControlClient } from '../control-client.ts'
import { table } from '../help.ts'
import { timeText } from './units.ts'

export const command: Command = {
  name: 'bans',
  operands: '[ADDRESS|PREFIX]',
  operandsMin: 0,
  operandsMax: 1,
  text: [
    'Lists the bans that stand on the node that is asked, the newest first; with an address or a prefix, those that are around it or within it: by that one learns why somebody is kept out.',
    'A ban that is `waiting` was asked for at an edge whose control plane has not taken it yet: it stands there. One that is `void` is of what is never banned on this node.',
  ].join('\n'),
  options: {
    limit: { value: 'N', text: 'at most so many; 1000 where it is not said' },
    never: { text: 'what is never banned on this node, instead' },
    ...CONTROL_OPTIONS,
    ...JSON_OPTION,
  },
  examples: [
    ['orla bans', 'lists them'],
    ['orla bans 192.0.2.7', 'tells why that client is kept out'],
    ['orla bans --never', 'lists what no ban touches'],
  ],
  exits: { 1: 'the control plane does not answer' },
  run: async (args, terminal) => {
    const [address] = args.operands
    const query = new URLSearchParams()
    if (address !== undefined) query.set('address', address)
    const limit = args.text('limit')
    if (limit !== undefined) query.set('limit', limit)
    const path = query.size === 0 ? '/v1/bans' : `/v1/bans?${query}`
    const list = (await ControlClient.from(args, terminal).call('GET', path)) as BanList
    if (args.flag('never')) {
      const lines = args.flag('json') ? [JSON.stringify(list.never)] : list.never
      for (const line of lines) terminal.print(line)
      return EXIT.done
    }
    terminal.print(args.flag('json') ? JSON.stringify(list) : bansText(list, address))
    return EXIT.done
  },
}

export function bansText({ bans, total }: BanList, address?: string): string {
  if (bans.length === 0)
    return address === undefined ? 'nobody is banned' : `no ban is around ${address}, or within it`
  const rows = bans.map(({ prefix, until, state, by, node, reason }) => [
    prefix,
    timeText(until),
    state,
    by,
    node,
    reason || '-',
  ])
  const lines = table(['PREFIX', 'UNTIL', 'STATE', 'BY', 'AT', 'REASON'], rows)
  const left = total - bans.length
  return left === 0 ? lines : `${lines}\nand ${left} more: --limit`
}
