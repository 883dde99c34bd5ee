/** What the edge's XDP program has counted, and how its maps hold it: the numbers and the layout of `xdp/edge.c`. */
import type { PacketCounts, PacketTotal, PortCount, Tally } from '../contract/packet.ts'

/** A map as it is read here; whose it is does not matter. */
export interface ReadableMap {
  get(key: Buffer): Buffer | undefined
  /** The parts of a value, by CPU. */
  valuesOf(value: Buffer): readonly Buffer[]
}

export interface CounterMaps {
  readonly totals: ReadableMap
  readonly ports: ReadableMap
  readonly blocks: ReadableMap
}

/** In the order of `enum kind`; what comes behind them are later fragments. */
export const KINDS = ['udp', 'tcp', 'icmp', 'other', 'not-ip', 'unreadable'] as const
/** In the order of `enum verdict`. */
export const VERDICTS = ['passed', 'banned', 'unreadable'] as const

const PORTS_PER_BLOCK = 64
const BLOCKS_PER_PROTOCOL = 65_536 / PORTS_PER_BLOCK
const BLOCK_PROTOCOLS = ['udp', 'tcp'] as const
const TALLY_BYTES = 16

export const NOTHING: PacketCounts = { totals: [], fragments: { packets: 0, bytes: 0 }, ports: [] }

/** Reads all counts. They go on meanwhile, so that sums may differ by what came in between. */
export function readCounts(maps: CounterMaps): PacketCounts {
  return { totals: readTotals(maps.totals), fragments: readFragments(maps.totals), ports: readPorts(maps) }
}

/** By protocol and verdict, where there was anything. A few reads, whatever was counted. */
export function readTotals(totals: ReadableMap): PacketTotal[] {
  return KINDS.flatMap((protocol, kind) =>
    VERDICTS.map((verdict, index) => ({
      protocol,
      verdict,
      ...sumOf(totals, kind * VERDICTS.length + index),
    })),
  ).filter(({ packets }) => packets > 0)
}

/** Later fragments, whatever became of them. */
export function readFragments(totals: ReadableMap): Tally {
  const tallies = VERDICTS.map((_, index) => sumOf(totals, KINDS.length * VERDICTS.length + index))
  return {
    packets: tallies.reduce((sum, { packets }) => sum + packets, 0),
    bytes: tallies.reduce((sum, { bytes }) => sum + bytes, 0),
  }
}

function readPorts({ ports, blocks }: CounterMaps): PortCount[] {
  const marks = blocks.get(keyOf(0)) ?? Buffer.alloc(0)
  const found: PortCount[] = []
  for (let block = 0; block < marks.length; block++) {
    if (marks[block] === 0) continue
    const parts = partsOf(ports, block)
    const protocol = BLOCK_PROTOCOLS[Math.floor(block / BLOCKS_PER_PROTOCOL)]!
    const first = (block % BLOCKS_PER_PROTOCOL) * PORTS_PER_BLOCK
    for (let index = 0; index < PORTS_PER_BLOCK; index++) {
      const tally = tallyAt(parts, index * TALLY_BYTES)
      if (tally.packets > 0) found.push({ protocol, port: first + index, ...tally })
    }
  }
  return found
}

const sumOf = (map: ReadableMap, index: number): Tally => tallyAt(partsOf(map, index), 0)

function partsOf(map: ReadableMap, index: number): readonly Buffer[] {
  const value = map.get(keyOf(index))
  return value === undefined ? [] : map.valuesOf(value)
}

/** Summed over the CPUs. Nobody counts as far as 2^53. */
function tallyAt(parts: readonly Buffer[], at: number): Tally {
  let packets = 0
  let bytes = 0
  for (const part of parts) {
    packets += Number(part.readBigUInt64LE(at))
    bytes += Number(part.readBigUInt64LE(at + 8))
  }
  return { packets, bytes }
}

function keyOf(index: number): Buffer {
  const key = Buffer.alloc(4)
  key.writeUInt32LE(index)
  return key
}

/** What came between two readings of the same counters. */
export function countsSince(before: PacketCounts, after: PacketCounts): PacketCounts {
  return {
    totals: since(before.totals, after.totals, ({ protocol, verdict }) => `${protocol} ${verdict}`),
    fragments: minus(after.fragments, before.fragments),
    ports: since(before.ports, after.ports, ({ protocol, port }) => `${protocol} ${port}`),
  }
}

function since<T extends Tally>(before: readonly T[], after: readonly T[], nameOf: (one: T) => string): T[] {
  const earlier = new Map(before.map((one) => [nameOf(one), one]))
  return after
    .map((one) => ({ ...one, ...minus(one, earlier.get(nameOf(one)) ?? { packets: 0, bytes: 0 }) }))
    .filter(({ packets }) => packets > 0)
}

const minus = (a: Tally, b: Tally): Tally => ({ packets: a.packets - b.packets, bytes: a.bytes - b.bytes })
