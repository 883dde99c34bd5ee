/** `orla edges`: the nodes that run what is deployed, and how far each is. */
import type { EdgeStatus } from '../../control/edge-shapes.ts'
import { UsageError } from '../arguments.ts'
import { type Command, CONTROL_OPTIONS, EXIT, JSON_OPTION } from '../command.ts'
import { ControlClient } from '../control-client.ts'
import { table } from '../help.ts'
import { timeText } from './units.ts'

export const command: Command = {
  name: 'edges',
  operands: '[remove NAME…]',
  operandsMin: 0,
  operandsMax: Infinity,
  text: [
    'Lists the node that is asked and the edges that follow it: the position in the log that each runs, how many entries it lags, how many of its workers run it, and how soon after a change (half of the changes, and 99 of 100). Below it, what an edge was sent and does not run.',
    'An edge is known from its first connect on. One that is `away` is waited for by changes, and the log keeps what it needs; one that is `stopped` left in order. `remove` forgets it; where it comes again, it is known again.',
  ].join('\n'),
  options: { ...CONTROL_OPTIONS, ...JSON_OPTION },
  examples: [
    ['orla edges', 'lists them'],
    ['orla edges remove gru3', 'changes do not wait for it any more'],
  ],
  exits: { 1: 'there is no such edge, or the control plane does not answer' },
  run: async (args, terminal) => {
    const [verb, ...names] = args.operands
    const control = ControlClient.from(args, terminal)
    if (verb === 'remove' && names.length > 0) {
      const removed: EdgeStatus[] = []
      for (const name of names) {
        const path = `/v1/edges/${encodeURIComponent(name)}`
        removed.push((await control.call('DELETE', path)) as EdgeStatus)
        if (!args.flag('json')) terminal.print(`${name} is forgotten`)
      }
      if (args.flag('json')) terminal.print(JSON.stringify(removed))
      return EXIT.done
    }
    if (verb !== undefined)
      throw new UsageError(verb === 'remove' ? 'remove needs a name' : `"${verb}" is not remove`)
    const edges = (await control.call('GET', '/v1/edges')) as EdgeStatus[]
    terminal.print(args.flag('json') ? JSON.stringify(edges) : edgesText(edges))
    return EXIT.done
  },
}

export function edgesText(edges: readonly EdgeStatus[]): string {
  const rows = edges.map((edge) => {
    const { position, lag, epoch, live, liveMs, lastSeen } = edge
    return [
      edge.name,
      edge.role,
      edge.presence,
      String(position.id),
      String(lag),
      edge.enabled ? String(epoch) : `${epoch} (all off)`,
      `${live.workers}/${live.of}`,
      liveMs ? `${liveMs.p50} ms` : '-',
      liveMs ? `${liveMs.p99} ms` : '-',
      timeText(lastSeen),
      edge.groups.join(',') || '-',
      edge.version,
    ]
  })
  const heads = [
    'NAME',
    'ROLE',
    'PRESENCE',
    'POSITION',
    'LAG',
    'EPOCH',
    'WORKERS',
    'LIVE P50',
    'P99',
    'SEEN',
    'GROUPS',
    'VERSION',
  ]
  const rejected = edges.flatMap(({ name, rejected: what }) =>
    what
      ? [`${name} does not run position ${what.id}:`, ...what.problems.map((problem) => `  ${problem}`)]
      : [],
  )
  return [table(heads, rows), ...rejected].join('\n')
}
