/**
 * Counts what arrives at an interface, for whoever watches: by a program of its own, or, where a packet plane of Orla's is there already, by
 * reading what that one counts. Counts begin at 0 either way.
 */
import type { PacketCounts, PacketMode, PortCount, PacketTotal, Tally } from '../contract/packet.ts'
import { attach, occupant, type WantedMode } from './attaching.ts'
import { EdgeProgram, isEdgeProgram } from './edge-program.ts'
import type { Libbpf, XdpAttached } from './libbpf.ts'
import { BpfFailure } from './libbpf-failure.ts'
import { countsSince, NOTHING, readCounts } from './packet-counts.ts'
import { refusalOf } from './refusal.ts'

export interface PacketCounter {
  readonly mode: PacketMode
  /** Why it is not in the driver, where that was left open. */
  readonly note: string | undefined
  /** The program is somebody else's, and is only read. */
  readonly isShared: boolean
  /** What came since it began. */
  read(): PacketCounts
  /** The program is on the interface no longer: nothing more will be counted. */
  isGone(): boolean
  close(): void
}

export type Counting =
  | { readonly kind: 'counting'; readonly counter: PacketCounter }
  /** By this interface. */
  | { readonly kind: 'refused'; readonly reason: string }
  /** By this machine, or to this process. */
  | { readonly kind: 'unavailable'; readonly reason: string }

export function countPackets(libbpf: Libbpf, name: string, wanted: WantedMode): Counting {
  const index = libbpf.interfaceIndex(name)
  const there = index === undefined ? undefined : occupant(libbpf, index)
  const shared = there && isEdgeProgram(there.programName) ? sharedCounter(libbpf, index!, there) : undefined
  if (shared !== undefined) return { kind: 'counting', counter: shared }
  return ownCounter(libbpf, name, wanted)
}

function ownCounter(libbpf: Libbpf, name: string, wanted: WantedMode): Counting {
  let edge: EdgeProgram
  try {
    edge = EdgeProgram.load(libbpf)
  } catch (error) {
    if (!(error instanceof BpfFailure)) throw error
    return { kind: 'unavailable', reason: refusalOf(error) }
  }
  const attached = attach(libbpf, edge.fd, name, wanted)
  if (attached.kind === 'refused') {
    edge.close()
    return attached
  }
  const { link, mode, note } = attached
  return {
    kind: 'counting',
    counter: {
      mode,
      note,
      isShared: false,
      read: () => edge.counts(),
      isGone: () => libbpf.linkInfo(link.fd)?.interfaceIndex === 0,
      close() {
        link.detach()
        edge.close()
      },
    },
  }
}

/** Undefined where this process may not look. */
function sharedCounter(libbpf: Libbpf, index: number, there: XdpAttached): PacketCounter | undefined {
  let programId = there.programId
  let maps = openMaps(libbpf, programId)
  if (maps === undefined) return undefined
  let before = readCounts(maps)
  /** Of programs that were there before the one that is now. */
  let earlier: PacketCounts | undefined
  const read = () => {
    const now = countsSince(before, readCounts(maps!))
    return earlier === undefined ? now : countsTogether(earlier, now)
  }
  return {
    mode: there.mode,
    note: undefined,
    isShared: true,
    read,
    isGone() {
      const now = occupant(libbpf, index)
      if (now?.programId === programId) return false
      const next = now && isEdgeProgram(now.programName) ? openMaps(libbpf, now.programId) : undefined
      if (next === undefined) return true
      // Another version of the node has taken over: its program began to count when the one before stopped.
      earlier = read()
      maps!.close()
      maps = next
      before = NOTHING
      programId = now!.programId
      return false
    },
    close: () => maps!.close(),
  }
}

function openMaps(libbpf: Libbpf, programId: number) {
  const seen = libbpf.mapsOf(programId)
  const [totals, ports, blocks] = ['totals', 'ports', 'blocks'].map((name) => seen?.map(name))
  if (seen && totals && ports && blocks) return { totals, ports, blocks, close: () => seen.close() }
  seen?.close()
  return undefined
}

function countsTogether(a: PacketCounts, b: PacketCounts): PacketCounts {
  return {
    totals: together(a.totals, b.totals, ({ protocol, verdict }: PacketTotal) => `${protocol} ${verdict}`),
    fragments: sum(a.fragments, b.fragments),
    ports: together(a.ports, b.ports, ({ protocol, port }: PortCount) => `${protocol} ${port}`),
  }
}

function together<T extends Tally>(a: readonly T[], b: readonly T[], nameOf: (one: T) => string): T[] {
  const all = new Map(a.map((one) => [nameOf(one), one]))
  for (const one of b) {
    const other = all.get(nameOf(one))
    all.set(nameOf(one), other === undefined ? one : { ...one, ...sum(one, other) })
  }
  return [...all.values()]
}

const sum = (a: Tally, b: Tally): Tally => ({ packets: a.packets + b.packets, bytes: a.bytes + b.bytes })
