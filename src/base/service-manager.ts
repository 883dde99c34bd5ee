/**
 * Tells the service manager how it goes: a datagram to the socket that `NOTIFY_SOCKET` names, as in sd_notify(3). Node has no sockets of
 * that kind, so libc is called through FFI. Where nobody asks to be told, nothing is done.
 */
import koffi from 'koffi'

const AF_UNIX = 1
const SOCK_DGRAM = 2
const SOCK_CLOEXEC = 0o2000000
/** `sizeof(sockaddr_un.sun_path)`. */
const PATH_MAX = 108

/** Such as `READY=1`, `MAINPID=4711` or `STOPPING=1`; several lines may go together. False where it could not be told. */
export function notifyServiceManager(state: string, env: NodeJS.ProcessEnv = process.env): boolean {
  const path = env['NOTIFY_SOCKET']
  if (path === undefined || path === '') return false
  // A name that begins with `@` is one of the kernel's own, whose first byte is 0.
  const name = Buffer.from(path.startsWith('@') ? `\0${path.slice(1)}` : path)
  if (name.length >= PATH_MAX) return false
  const address = Buffer.concat([Buffer.from(Uint16Array.of(AF_UNIX).buffer), name])
  const libc = koffi.load(null)
  const socket = libc.func('int socket(int family, int type, int protocol)')
  const sendto = libc.func(
    'int64_t sendto(int fd, void *bytes, size_t length, int flags, void *address, uint32_t addressLength)',
  )
  const close = libc.func('int close(int fd)')
  const fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0) as number
  if (fd < 0) return false
  const bytes = Buffer.from(state)
  // A path as a file system has it may or may not end with a 0; an abstract name is exactly as long as it is said to be.
  const sent = Number(sendto(fd, bytes, bytes.length, 0, address, address.length))
  close(fd)
  return sent === bytes.length
}
