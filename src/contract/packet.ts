/** What the packet plane counts, as it is told: by the command, by the API, in metrics. */

/** What a frame was. `not-ip` is ARP and the like; `unreadable` ends too early, or is not what it says. */
export type PacketKind = 'udp' | 'tcp' | 'icmp' | 'other' | 'not-ip' | 'unreadable'

/** What became of it: it went on, or it was dropped for its source or because it could not be read. */
export type PacketVerdict =
  | 'passed'
  | 'banned' // its source is banned
  | 'unreadable' // it cannot be read, and `dropUnreadable` is set

export interface Tally {
  readonly packets: number
  /** Of frames, with their Ethernet headers. */
  readonly bytes: number
}

export interface PacketTotal extends Tally {
  readonly protocol: PacketKind
  readonly verdict: PacketVerdict
}

/** Whatever became of them. */
export interface PortCount extends Tally {
  readonly protocol: 'udp' | 'tcp'
  /** The destination's. */
  readonly port: number
}

export interface PacketCounts {
  readonly totals: readonly PacketTotal[]
  /** Later fragments, which hold no port: they are in `totals` with their protocol, and in no port. */
  readonly fragments: Tally
  readonly ports: readonly PortCount[]
}

/** Where a program runs: in the driver, in the network stack, or on the card. */
export type PacketMode = 'native' | 'generic' | 'offload'

/** An interface as the packet plane has it. */
export type PacketInterface =
  | { readonly name: string; readonly state: 'attached'; readonly mode: PacketMode; readonly note?: string }
  /** Packets pass as if there were no packet plane. `reason` is a clause; it is tried again now and then. */
  | { readonly name: string; readonly state: 'absent'; readonly reason: string }
