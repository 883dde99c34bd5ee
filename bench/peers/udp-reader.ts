/** `udp-reader.ts ADDRESS PORT`: reads a UDP socket of IPv4 as fast as it can, 64 datagrams a call, and throws them away. Says `bound` when it does. */
import koffi from 'koffi'

const BATCH = 64
const DATAGRAM_BYTES = 2048
const AF_INET = 2
const SOCK_DGRAM = 2
/** Waits for the first datagram, and takes what is there besides. */
const MSG_WAITFORONE = 0x10000

const [address = '127.0.0.1', port = '5005'] = process.argv.slice(2)
const libc = koffi.load(null)
const socket = libc.func('int socket(int family, int type, int protocol)')
const bind = libc.func('int bind(int fd, const void *address, uint32_t length)')
const recvmmsg = libc.func(
  'int recvmmsg(int fd, void *messages, uint32_t count, int flags, void *timeout)',
) as unknown as (fd: number, messages: Buffer, count: number, flags: number, timeout: null) => number

const place = Buffer.alloc(16)
place.writeUInt16LE(AF_INET, 0)
place.writeUInt16BE(Number(port), 2)
place.set(address.split('.').map(Number), 4)
const fd = socket(AF_INET, SOCK_DGRAM, 0) as number
if ((bind(fd, place, place.length) as number) !== 0) throw new Error(`${address}:${port} is not bound`)

// struct iovec: base, length. struct mmsghdr: name, its length, iov, its length, control, its length, flags; length.
const IOVEC_BYTES = 16
const MESSAGE_BYTES = 64
const data = Buffer.alloc(BATCH * DATAGRAM_BYTES)
const vectors = Buffer.alloc(BATCH * IOVEC_BYTES)
const messages = Buffer.alloc(BATCH * MESSAGE_BYTES)
for (let i = 0; i < BATCH; i++) {
  vectors.writeBigUInt64LE(koffi.address(data) + BigInt(i * DATAGRAM_BYTES), i * IOVEC_BYTES)
  vectors.writeBigUInt64LE(BigInt(DATAGRAM_BYTES), i * IOVEC_BYTES + 8)
  messages.writeBigUInt64LE(koffi.address(vectors) + BigInt(i * IOVEC_BYTES), i * MESSAGE_BYTES + 16)
  messages.writeBigUInt64LE(1n, i * MESSAGE_BYTES + 24)
}
process.stdout.write('bound', () => {
  for (;;) if (recvmmsg(fd, messages, BATCH, MSG_WAITFORONE, null) < 0) process.exit(1)
})
