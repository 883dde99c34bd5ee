/** What the kernel says of a network interface in the network namespace of this process, which `/sys` need not show. */
import { closeSync } from 'node:fs'
import koffi from 'koffi'

const [AF_INET, SOCK_DGRAM, SOCK_CLOEXEC] = [2, 2, 0o2000000]
const SIOCGIFFLAGS = 0x8913
/** struct ifreq: the name in 16 bytes, then the flags. */
const [IFREQ_BYTES, NAME_MAX] = [40, 15]
const IFF_UP = 1

/** Undefined where there is no such interface, or nothing can be asked. */
export function interfaceFlags(name: string): { readonly isUp: boolean } | undefined {
  if (Buffer.byteLength(name) > NAME_MAX) return undefined
  const libc = koffi.load(null)
  const socket = libc.func('int socket(int domain, int type, int protocol)')
  const ioctl = libc.func('int ioctl(int fd, unsigned long request, ...)')
  const fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0) as number
  if (fd < 0) return undefined
  try {
    const request = Buffer.alloc(IFREQ_BYTES)
    request.write(name)
    if (ioctl(fd, SIOCGIFFLAGS, 'void *', request) < 0) return undefined
    return { isUp: (request.readUInt16LE(16) & IFF_UP) !== 0 }
  } finally {
    closeSync(fd)
  }
}
