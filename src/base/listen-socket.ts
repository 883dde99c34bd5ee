/**
 * Listening sockets as plain descriptors: made here, accepted from elsewhere.
 *
 * Node's own `listen` begins to accept at once, in the process that called it. Here one process holds the socket, so that it outlives those
 * that accept from it: a connection that the kernel has taken waits for the next of them and is not reset. So libc is called
 * through FFI. The numbers are those of Linux.
 */
import { lookup } from 'node:dns/promises'
import { parseIp } from './ip-address.ts'
import {
  boundSocket,
  checked,
  closeDescriptor,
  libcCall,
  portOf,
  setOption,
  SOL_SOCKET,
} from './socket-calls.ts'

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
const SO_REUSEADDR = 2

const listen = libcCall('int listen(int fd, int backlog)')

/** Throws what Node's `listen` would: an error with `code` (`EADDRINUSE`, `EACCES`, `EADDRNOTAVAIL`, `ENOTFOUND`). */
export async function openListenSocket(options: ListenSocketOptions): Promise<ListenSocket> {
  const { host, port, reusePort, backlog } = options
  // As in `fe80::1%eth0`: an address of a link says which one.
  const [plain = '', zone] = host.split('%')
  const address = parseIp(plain) ?? parseIp((await lookup(host)).address)!
  const fd = boundSocket(host, {
    type: SOCK_STREAM,
    address,
    zone,
    port,
    reusePort,
    prepare: (made) => checked(setOption(made, SOL_SOCKET, SO_REUSEADDR, 1), 'setsockopt', host, port),
  })
  try {
    checked(listen(fd, backlog), 'listen', host, port)
    return listenSocket(fd)
  } catch (error) {
    closeDescriptor(fd)
    throw error
  }
}

/** One that this process was given by the one that started it. Throws where it is no socket. */
export function listenSocket(fd: number): ListenSocket {
  const port = portOf(fd)
  let isOpen = true
  return {
    fd,
    port,
    close() {
      if (isOpen) closeDescriptor(fd)
      isOpen = false
    },
  }
}
