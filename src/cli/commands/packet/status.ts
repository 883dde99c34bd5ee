/** `orla packet status`: the packet plane of a node. */
import type { PacketSummary } from '../../../control/packet-shapes.ts'
import { type Command, CONTROL_OPTIONS, EXIT, JSON_OPTION } from '../../command.ts'
import { ControlClient } from '../../control-client.ts'
import { table } from '../../help.ts'
import { bytesText } from '../cache/cache-text.ts'

export const command: Command = {
  name: 'packet status',
  operands: '',
  operandsMin: 0,
  operandsMax: 0,
  text: 'Tells on which interfaces the packet plane of the node is and in which mode, or why it is not; and what it has counted and dropped on all of them since its program was loaded.',
  options: {
    top: { value: 'N', text: 'with so many of the busiest destination ports: 1 to 500' },
    ...CONTROL_OPTIONS,
    ...JSON_OPTION,
  },
  examples: [
    ['orla packet status', 'interfaces, modes and counts'],
    ['orla packet status --top 10 --json', 'with the ten busiest ports, for a script'],
  ],
  exits: { 1: 'the control plane does not answer' },
  run: async (args, terminal) => {
    const client = ControlClient.from(args, terminal)
    const query = { top: args.text('top') }
    const summary = (await client.call('GET', '/v1/packet', { query })) as PacketSummary
    terminal.print(args.flag('json') ? JSON.stringify(summary) : statusText(summary))
    return EXIT.done
  },
}

export function statusText({ interfaces, prefixes, totals, fragments, ports }: PacketSummary): string {
  if (interfaces.length === 0) return 'the node has no packet plane: its configuration names no `packet`'
  const rows = interfaces.map((one) =>
    one.state === 'attached' ? [one.name, one.mode, one.note ?? ''] : [one.name, '-', one.reason],
  )
  const counted = totals.map(({ protocol, verdict, packets, bytes }) => [
    protocol,
    verdict,
    String(packets),
    bytesText(bytes),
  ])
  const busiest = ports.map(({ protocol, port, packets, bytes }) => [
    protocol,
    String(port),
    String(packets),
    bytesText(bytes),
  ])
  return [
    table(['INTERFACE', 'MODE', 'WHY'], rows),
    '',
    `banned prefixes, and holes in them, in the kernel: ${prefixes}`,
    ...(counted.length > 0 ? ['', table(['PROTOCOL', 'VERDICT', 'PACKETS', 'BYTES'], counted)] : []),
    ...(fragments.packets > 0 ? ['', `later fragments among them: ${fragments.packets}`] : []),
    ...(busiest.length > 0 ? ['', table(['PROTOCOL', 'PORT', 'PACKETS', 'BYTES'], busiest)] : []),
  ].join('\n')
}
