/**
 * What the kernel measures of a TCP connection: `getsockopt(TCP_INFO)`, by way of libc.
 *
 * Node shows no such thing, so libc is called through FFI. Where that does not work (another system, no descriptor) the
 * answer is undefined.
 */
import type { Socket } from 'node:net'
import { createRequire } from 'node:module'

const IPPROTO_TCP = 6
const TCP_INFO = 11
/** Offsets in `struct tcp_info` of linux/tcp.h: eight bytes of flags, then words, then words of 64 bits. */
const UNACKED_OFFSET = 24
const RTT_OFFSET = 68
const BYTES_ACKED_OFFSET = 120

type GetSockOpt = (fd: number, level: number, name: number, value: Buffer, length: Uint32Array) => number

let getsockopt: GetSockOpt | undefined | null = null
const info = Buffer.alloc(128)
const length = new Uint32Array(1)

function load(): GetSockOpt | undefined {
  try {
    const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi')
    return koffi
      .load('libc.so.6')
      .func(
        'int getsockopt(int fd, int level, int name, void *value, uint32_t *length)',
      ) as unknown as GetSockOpt
  } catch {
    return undefined
  }
}

/** The smoothed round-trip time in microseconds (`tcpi_rtt`). */
export const tcpRoundTripUs = (socket: Socket): number | undefined =>
  readInfo(descriptorOf(socket))?.readUInt32LE(RTT_OFFSET)

/** Bytes that the other end has taken so far (`tcpi_bytes_acked`), those of TLS and of its handshake included. */
export const acknowledgedBytes = (socket: Socket): bigint | undefined =>
  readInfo(descriptorOf(socket))?.readBigUInt64LE(BYTES_ACKED_OFFSET)

/** Connections that a listening socket holds and nobody has accepted (`tcpi_unacked`, which means that there); 0 where it cannot be told. */
export const waitingConnections = (listeningFd: number): number =>
  readInfo(listeningFd)?.readUInt32LE(UNACKED_OFFSET) ?? 0

const descriptorOf = (socket: Socket): number =>
  (socket as unknown as { _handle?: { fd?: number } | null })._handle?.fd ?? -1

/** Valid until the next call. */
function readInfo(fd: number): Buffer | undefined {
  if (getsockopt === null) getsockopt = load()
  if (getsockopt === undefined || fd < 0) return undefined
  length[0] = info.length
  return getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, length) === 0 ? info : undefined
}
