/** Addresses of sockets as the kernel takes them: `struct sockaddr_in` and `sockaddr_in6` (Linux). */
import { endianness } from 'node:os'
import { getSystemErrorName } from 'node:util'
import koffi from 'koffi'
import type { IpAddress } from './ip-address.ts'

export const AF_INET = 2
export const AF_INET6 = 10
/** The longest address: `struct sockaddr_in6`. */
export const ADDRESS_BYTES = 28

export const isLittleEndian = endianness() === 'LE'

const if_nametoindex = koffi.load(null).func('uint32_t if_nametoindex(const char *name)') as unknown as (
  name: string,
) => number

/** `zone` is the interface of an address of a link, as in `fe80::1%eth0`. */
export function socketAddress({ family, words }: IpAddress, zone: string | undefined, port: number): Buffer {
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

/** The error that Node would throw for the call that has just failed: `code` is `EADDRINUSE` and its like. */
export function socketFailure(name: string, host: string, port: number): NodeJS.ErrnoException {
  const code = getSystemErrorName(-koffi.errno())
  return Object.assign(new Error(`${name} ${code} ${host}:${port}`), { code, syscall: name })
}
