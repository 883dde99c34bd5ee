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
/** Offset of `tcpi_rtt` in `struct tcp_info` of linux/tcp.h: eight bytes of flags, then 15 words before it. */
const RTT_OFFSET = 68

type GetSockOpt = (fd: number, level: number, name: number, value: Buffer, length: Uint32Array) => number

let getsockopt: GetSockOpt | undefined | null = null
const info = Buffer.alloc(104)
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
export function tcpRoundTripUs(socket: Socket): number | undefined {
  if (getsockopt === null) getsockopt = load()
  const fd = (socket as unknown as { _handle?: { fd?: number } })._handle?.fd
  if (getsockopt === undefined || fd === undefined || fd < 0) return undefined
  length[0] = info.length
  return getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, length) === 0 ? info.readUInt32LE(RTT_OFFSET) : undefined
}
