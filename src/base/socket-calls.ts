/**
 * Sockets by libc's own calls, for what Node has no call for. Addresses are `struct sockaddr_in` and `sockaddr_in6`; the numbers are those of Linux.
 */
import { endianness } from 'node:os'
import { getSystemErrorName } from 'node:util'
import koffi from 'koffi'
import type { IpAddress } from './ip-address.ts'

export const AF_INET = 2
export const AF_INET6 = 10
/** The longest address: `struct sockaddr_in6`. */
export const ADDRESS_BYTES = 28

export const isLittleEndian = endianness() === 'LE'

export const SOL_SOCKET = 1
export const IPPROTO_IPV6 = 41
const SOCK_NONBLOCK = 0o4000
const SOCK_CLOEXEC = 0o2000000
const SO_REUSEPORT = 15
const IPV6_V6ONLY = 26

const libc = koffi.load(null)
/** A function of libc that gives a number. */
export const libcCall = (prototype: string) =>
  libc.func(prototype) as unknown as (...args: unknown[]) => number

const socket = libcCall('int socket(int family, int type, int protocol)')
const setsockopt = libcCall('int setsockopt(int fd, int level, int name, void *value, uint32_t length)')
const bind = libcCall('int bind(int fd, void *address, uint32_t length)')
const getsockname = libcCall('int getsockname(int fd, void *address, void *length)')
const if_nametoindex = libcCall('uint32_t if_nametoindex(const char *name)')
export const closeDescriptor = libcCall('int close(int fd)')

export interface BoundSocketOptions {
  /** `SOCK_STREAM` or `SOCK_DGRAM`. */
  readonly type: number
  readonly address: IpAddress
  /** The interface of an address of a link, as in `fe80::1%eth0`. */
  readonly zone: string | undefined
  readonly port: number
  readonly reusePort: boolean
  /** Sets what else is to be set before it is bound. It throws what `checked` throws. */
  prepare?(fd: number): void
}

/** The descriptor of a socket that is bound and waits for nothing. `host` is for errors, which are those of Node. Nothing is left open where it throws. */
export function boundSocket(host: string, options: BoundSocketOptions): number {
  const { type, address, zone, port, reusePort, prepare } = options
  const isV6 = address.family === 6
  const fd = checked(
    socket(isV6 ? AF_INET6 : AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0),
    'socket',
    host,
    port,
  )
  try {
    // As Node does it, whatever `net.ipv6.bindv6only` says: `[::]` takes IPv4 too.
    if (isV6) checked(setOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0), 'setsockopt', host, port)
    if (reusePort) checked(setOption(fd, SOL_SOCKET, SO_REUSEPORT, 1), 'setsockopt', host, port)
    prepare?.(fd)
    const bytes = socketAddress(address, zone, port)
    checked(bind(fd, bytes, bytes.length), 'bind', host, port)
    return fd
  } catch (error) {
    closeDescriptor(fd)
    throw error
  }
}

/** Negative where the system does not take it. */
export const setOption = (fd: number, level: number, name: number, value: number): number =>
  setsockopt(fd, level, name, Uint32Array.of(value), 4)

/** Throws where the descriptor is no socket. */
export function portOf(fd: number): number {
  const address = Buffer.alloc(ADDRESS_BYTES)
  checked(getsockname(fd, address, Uint32Array.of(ADDRESS_BYTES)), 'getsockname', `descriptor ${fd}`, 0)
  return address.readUInt16BE(2)
}

/** What a call gave; throws the error that Node would where that is negative: `code` is `EADDRINUSE` and its like. */
export function checked(result: number, name: string, host: string, port: number): number {
  if (result >= 0) return result
  const code = getSystemErrorName(-koffi.errno())
  throw Object.assign(new Error(`${name} ${code} ${host}:${port}`), { code, syscall: name })
}

function socketAddress({ family, words }: IpAddress, zone: string | undefined, port: number): Buffer {
  const bytes = Buffer.alloc(family === 4 ? 16 : ADDRESS_BYTES)
  // What is no address on the wire is in the order of bytes of this machine.
  const native = new DataView(bytes.buffer, bytes.byteOffset)
  native.setUint16(0, family === 4 ? AF_INET : AF_INET6, isLittleEndian)
  bytes.writeUInt16BE(port, 2)
  if (family === 4) bytes.writeUInt32BE(words[3] >>> 0, 4)
  else words.forEach((word, index) => bytes.writeUInt32BE(word >>> 0, 8 + 4 * index))
  if (zone !== undefined && family === 6) native.setUint32(24, if_nametoindex(zone), isLittleEndian)
  return bytes
}
