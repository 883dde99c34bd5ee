/** `send-frames.ts INTERFACE`: sends each line of standard input, bytes in hexadecimal, as a frame. For tests; a process of its own, in the namespace that it is to send from. */
import { readFileSync } from 'node:fs'
import koffi from 'koffi'

const AF_PACKET = 17
const SOCK_RAW = 3

const libc = koffi.load(null)
const socket = libc.func('int socket(int family, int type, int protocol)')
const sendto = libc.func(
  'int64_t sendto(int socket, const void *bytes, size_t length, int flags, const void *address, uint32_t size)',
)
const ifNameToIndex = libc.func('uint32_t if_nametoindex(const char *name)')

const [name = ''] = process.argv.slice(2)
const index = ifNameToIndex(name) as number
if (index === 0) throw new Error(`there is no interface ${name}`)
// struct sockaddr_ll: family, protocol, interface; the address is in the frame itself.
const address = Buffer.alloc(20)
address.writeUInt16LE(AF_PACKET, 0)
address.writeInt32LE(index, 4)

// Protocol 0: it receives nothing.
const fd = socket(AF_PACKET, SOCK_RAW, 0) as number
if (fd < 0) throw new Error('no raw socket: it asks for CAP_NET_RAW')
for (const line of readFileSync(0, 'utf8').split('\n')) {
  if (line === '') continue
  const frame = Buffer.from(line, 'hex')
  const sent = Number(sendto(fd, frame, frame.length, 0, address, address.length))
  if (sent !== frame.length) throw new Error(`a frame of ${frame.length} bytes was not sent`)
}
