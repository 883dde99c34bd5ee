/**
 * Listening sockets as plain descriptors: made here, accepted from elsewhere.
 *
 * Node's own `listen` begins to accept at once, in the process that called it. Here one process holds the socket, so that it outlives those
 * that accept from it: a connection that the kernel has taken waits for the next of them and is not reset. So libc is called
 * through FFI. The numbers are those of Linux.
 */
import { lookup } from 'node:dns/promises'
import koffi from 'koffi'
import { parseIp } from './ip-address.ts'
import { ADDRESS_BYTES, AF_INET, AF_INET6, socketAddress, socketFailure } from './socket-address.ts'

export interface ListenSocket {
  readonly fd: number
  /** The port, also where 0 was asked for. */
  readonly port: number
  close(): void
}

export interface ListenSocketOptions {
  /** A name is looked up, and its first address taken. */
  readonly host: string
  /** 0: the system chooses. */
  readonly port: number
  /** Others of the same user may listen on the same port with this as well, and the kernel spreads connections over them. */
  readonly reusePort: boolean
  /** Connections that the kernel takes before anybody accepts them. */
  readonly backlog: number
}

const SOCK_STREAM = 1
const SOCK_NONBLOCK = 0o4000
const SOCK_CLOEXEC = 0o2000000
const SOL_SOCKET = 1
const SO_REUSEADDR = 2
const SO_REUSEPORT = 15
const IPPROTO_IPV6 = 41
const IPV6_V6ONLY = 26

const libc = koffi.load(null)
const call = (prototype: string) => libc.func(prototype) as unknown as (...args: unknown[]) => number
const socket = call('int socket(int family, int type, int protocol)')
const setsockopt = call('int setsockopt(int fd, int level, int name, void *value, uint32_t length)')
const bind = call('int bind(int fd, void *address, uint32_t length)')
const listen = call('int listen(int fd, int backlog)')
const getsockname = call('int getsockname(int fd, void *address, void *length)')
const closeDescriptor = call('int close(int fd)')

/** Throws what Node's `listen` would: an error with `code` (`EADDRINUSE`, `EACCES`, `EADDRNOTAVAIL`, `ENOTFOUND`). */
export async function openListenSocket(options: ListenSocketOptions): Promise<ListenSocket> {
  const { host, port, reusePort, backlog } = options
  // As in `fe80::1%eth0`: an address of a link says which one.
  const [plain = '', zone] = host.split('%')
  const address = parseIp(plain) ?? parseIp((await lookup(host)).address)!
  const family = address.family === 4 ? AF_INET : AF_INET6
  const fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)
  if (fd < 0) throw socketFailure('socket', host, port)
  try {
    const check = (result: number, name: string) => {
      if (result < 0) throw socketFailure(name, host, port)
    }
    const [on, off] = [Uint32Array.of(1), Uint32Array.of(0)]
    check(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, on, 4), 'setsockopt')
    // As Node does it, whatever `net.ipv6.bindv6only` says: `[::]` takes IPv4 too.
    if (family === AF_INET6) check(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, off, 4), 'setsockopt')
    if (reusePort) check(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, on, 4), 'setsockopt')
    const bytes = socketAddress(address, zone, port)
    check(bind(fd, bytes, bytes.length), 'bind')
    check(listen(fd, backlog), 'listen')
    return listenSocket(fd)
  } catch (error) {
    closeDescriptor(fd)
    throw error
  }
}

/** One that this process was given by the one that started it. Throws where it is no socket. */
export function listenSocket(fd: number): ListenSocket {
  const address = Buffer.alloc(ADDRESS_BYTES)
  const length = Uint32Array.of(ADDRESS_BYTES)
  if (getsockname(fd, address, length) < 0) throw socketFailure('getsockname', `descriptor ${fd}`, 0)
  let isOpen = true
  return {
    fd,
    port: address.readUInt16BE(2),
    close() {
      if (isOpen) closeDescriptor(fd)
      isOpen = false
    },
  }
}
