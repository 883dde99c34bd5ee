/** Counts of packets as people and scripts read them. */
import type { PacketCounts, PortCount } from '../../../contract/packet.ts'
import { bytesText } from '../cache/cache-text.ts'

export interface Shown {
  /** Undefined: both, summed by port. */
  readonly protocol: PortCount['protocol'] | undefined
  readonly top: number
}

/** Scripts read these lines: keep their form. */
export const portLine = (port: number, packets: number): string => `DEST_PORT : ${port}, COUNT : ${packets}`

/** By destination port, the busiest first. */
export function histogram(counts: PacketCounts, { protocol, top }: Shown): readonly string[] {
  return byPort(counts.ports, protocol)
    .slice(0, top)
    .map(([port, packets]) => portLine(port, packets))
}

/** How many ports a histogram leaves out. */
export const leftOut = (counts: PacketCounts, { protocol, top }: Shown): number =>
  Math.max(0, byPort(counts.ports, protocol).length - top)

/** The busiest first; of equal ones the lower port. */
export function byPort(
  ports: readonly PortCount[],
  protocol: Shown['protocol'],
): readonly (readonly [port: number, packets: number])[] {
  const sums = new Map<number, number>()
  for (const one of ports) {
    if (protocol !== undefined && one.protocol !== protocol) continue
    sums.set(one.port, (sums.get(one.port) ?? 0) + one.packets)
  }
  return [...sums].toSorted(([portA, a], [portB, b]) => b - a || portA - portB)
}

/** `17 packets, 1.4 kB: tcp 10, udp 5, icmp 2; dropped as banned 3; later fragments, without a port: 1`. */
export function summary({ totals, fragments }: PacketCounts): string {
  const sum = (which: (one: PacketCounts['totals'][number]) => boolean, what: 'packets' | 'bytes') =>
    totals.filter(which).reduce((all, one) => all + one[what], 0)
  const packets = sum(() => true, 'packets')
  if (packets === 0) return 'no packets'
  const protocols = [...new Set(totals.map(({ protocol }) => protocol))]
    .map((protocol) => [protocol, sum((one) => one.protocol === protocol, 'packets')] as const)
    .toSorted(([, a], [, b]) => b - a)
    .map(([protocol, count]) => `${protocol} ${count}`)
  const banned = sum(({ verdict }) => verdict === 'banned', 'packets')
  const unreadable = sum(({ verdict }) => verdict === 'unreadable', 'packets')
  return [
    `${packets} ${packets === 1 ? 'packet' : 'packets'}, ${bytesText(sum(() => true, 'bytes'))}: ${protocols.join(', ')}`,
    ...(banned > 0 ? [`dropped as banned ${banned}`] : []),
    ...(unreadable > 0 ? [`dropped as unreadable ${unreadable}`] : []),
    ...(fragments.packets > 0 ? [`later fragments, without a port: ${fragments.packets}`] : []),
  ].join('; ')
}
