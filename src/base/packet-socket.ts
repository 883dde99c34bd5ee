/** A socket of UDP as a server has it, whatever calls are behind it: packets come one by one, and are answered in memory that the socket sends from. */
import type { IpAddress } from './ip-address.ts'

/** Room for an answer, and for what a codec writes beyond its end before it sees that it does not fit. */
export const ANSWER_BYTES = 4096

/** Who sent a packet, and to which of our addresses. It holds until the call with the packet returns; whoever needs it for longer calls `keep` before. */
export interface PacketSender {
  readonly port: number
  ip(): string
  address(): IpAddress
  /** Undefined where it is not known, or the socket is bound to one address. */
  localAddress(): IpAddress | undefined
  keep(): void
}

/** Called for each packet: `bytes` from `from` to `to` is memory of the socket, and holds until the call returns. */
export type OnPacket = (bytes: Buffer, from: number, to: number, sender: PacketSender) => void

export interface PacketSocket {
  readonly host: string
  readonly port: number
  /** Calls with each packet from now on, until it is closed. */
  receive(onPacket: OnPacket): void
  /** Where the next answer is written: `answerAt` on in there, at most `ANSWER_BYTES`. Then comes `queue`. */
  readonly answers: Buffer
  readonly answerAt: number
  /** Sends so many bytes of what stands at `answerAt` to a sender of this socket, soon. What the system does not take is lost, as packets may be. */
  queue(sender: PacketSender, bytes: number): void
  close(): void
}

export interface PacketSocketOptions {
  /** An address; `::` takes IPv4 too. */
  readonly host: string
  /** 0: the system chooses. */
  readonly port: number
  /** Others of the same user may receive on the same port with this as well, and the kernel spreads packets over them by who sends. */
  readonly reusePort: boolean
}
