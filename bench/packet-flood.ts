/**
 * A flood of UDP: the CPU time of a packet that is dropped in XDP, native and generic, beside one that is dropped at the socket.
 *
 *     node bench/packet-flood.ts [--packets 1000000] [--bytes 64] [--rounds 5] [--bans 10000]      (as root)
 *
 * In a network namespace of its own, the kernel makes the packets itself: a trial of an XDP program on live frames
 * (BPF_F_TEST_XDP_LIVE_FRAMES, Linux 5.18) hands each frame to a program as the driver of a card does, from pages that are used again, and
 * what passes goes up the network stack in the same batches. All of it runs in the calling thread, so that the clock of this thread tells
 * what a packet costs whoever receives it, and nobody who sends is in the number.
 *
 *     native    the edge's program drops the frame where the driver would have made a packet of it
 *     generic   a program lets it pass, the stack makes a packet of it, and the edge's program on the interface drops that
 *     full      a program lets it pass, and it goes up to a UDP socket whose buffer is full, where the kernel drops it
 *     read      the same, with a process that reads the socket, 64 datagrams a call, and drops them itself; its time counts as well
 *
 * The source is one of `bans` prefixes in the trie. Rounds take turns, and the median counts.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import koffi from 'koffi'
import { ownThreadCpuUs, processCpuNs } from '../src/base/cpu-clock.ts'
import { attach } from '../src/packet/attaching.ts'
import { EdgeProgram } from '../src/packet/edge-program.ts'
import { loadLibbpf } from '../src/packet/libbpf.ts'
import { ethernet, ipv4, udp } from '../src/packet/testing/frames.ts'
import { ip, leaveNetwork, NO_NETWORK } from '../test/harness/network.ts'
import { median } from './peers/median.ts'

const { values } = parseArgs({
  options: {
    packets: { type: 'string', default: '1000000' },
    bytes: { type: 'string', default: '64' },
    rounds: { type: 'string', default: '5' },
    bans: { type: 'string', default: '10000' },
  },
})
const [packets, bytes, rounds, bans] = [
  Number(values.packets),
  Number(values.bytes),
  Number(values.rounds),
  Number(values.bans),
]

if (NO_NETWORK !== undefined) throw new Error(NO_NETWORK)
const loaded = loadLibbpf()
if (loaded.kind === 'missing') throw new Error(loaded.reason)
const { libbpf } = loaded
leaveNetwork()

const READER = fileURLToPath(new URL('peers/udp-reader.ts', import.meta.url))
const PORT = 5005
/** Of the loopback interface, at which the frames arrive. */
const ADDRESS = '198.51.100.1'
const BANNED = '198.51.100.66'
ip('address', 'add', `${ADDRESS}/32`, 'dev', 'lo')
ip('route', 'add', '198.51.100.0/24', 'dev', 'lo')
const frame = ethernet(
  ipv4({ from: BANNED, to: ADDRESS }, udp(PORT, Buffer.alloc(Math.max(0, bytes - 42), 1))),
  { to: '000000000000' },
)

/** `r0 = XDP_PASS; exit`. */
const PASS = Buffer.from('b7000000020000009500000000000000', 'hex')
const passFd = libbpf.loadProgram({ type: 'xdp', name: 'pass', isGpl: false, instructions: PASS })
const edge = EdgeProgram.load(libbpf)
edge.replace(
  [
    `${BANNED}/32`,
    ...Array.from({ length: Math.max(0, bans - 1) }, (_, i) => `10.${(i >> 8) & 255}.${i & 255}.0/24`),
  ],
  [],
)

const syscall = koffi
  .load(null)
  .func('int64_t syscall(int64_t number, int64_t command, void *attributes, int64_t size)') as unknown as (
  number: number,
  command: number,
  attributes: Buffer,
  size: number,
) => number | bigint

const BPF_SYSCALL = { x64: 321, arm64: 280 }[process.arch as 'x64' | 'arm64']
const BPF_PROG_TEST_RUN = 10
const LIVE_FRAMES = 2
const BATCH = 64

/** Nanoseconds of this thread for each packet. */
function flood(programFd: number): number {
  // The part of union bpf_attr that is about trials.
  const attributes = Buffer.alloc(80)
  attributes.writeUInt32LE(programFd, 0)
  attributes.writeUInt32LE(frame.length, 8)
  attributes.writeBigUInt64LE(koffi.address(frame), 16)
  attributes.writeUInt32LE(packets, 32)
  attributes.writeUInt32LE(LIVE_FRAMES, 64)
  attributes.writeUInt32LE(BATCH, 72)
  const before = ownThreadCpuUs()
  const result = Number(syscall(BPF_SYSCALL, BPF_PROG_TEST_RUN, attributes, attributes.length))
  const ns = ((ownThreadCpuUs() - before) * 1000) / packets
  if (result < 0)
    throw new Error(`the kernel makes no flood (error ${koffi.errno()}); it has to be Linux 5.18 or later`)
  return ns
}

/** Bound and never read: its buffer is full after a moment. */
function openUnread(): number {
  const libc = koffi.load(null)
  const fd = libc.func('int socket(int family, int type, int protocol)')(2, 2, 0) as number
  const address = Buffer.alloc(16)
  address.writeUInt16LE(2, 0)
  address.writeUInt16BE(PORT, 2)
  address.set(ADDRESS.split('.').map(Number), 4)
  const bound = libc.func('int bind(int fd, const void *address, uint32_t length)')(fd, address, 16) as number
  if (bound !== 0) throw new Error('the socket is not bound')
  return fd
}

async function inFull(): Promise<number> {
  const fd = openUnread()
  try {
    return flood(passFd)
  } finally {
    closeSync(fd)
  }
}

async function inReader(): Promise<number> {
  const reader = spawn(process.execPath, [READER, ADDRESS, String(PORT)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(reader, 'exit')
  await once(reader.stdout, 'data')
  try {
    const before = processCpuNs(reader.pid!)
    const received = flood(passFd)
    return received + Number(processCpuNs(reader.pid!) - before) / packets
  } finally {
    reader.kill('SIGKILL')
    await ended
  }
}

/** Runs with the edge's program on the interface in the network stack. */
function inGeneric(work: () => number): number {
  const attached = attach(libbpf, edge.fd, 'lo', 'generic')
  if (attached.kind === 'refused') throw new Error(attached.reason)
  try {
    return work()
  } finally {
    attached.link.detach()
  }
}

const MEASURED = {
  native: async () => flood(edge.fd),
  generic: async () => inGeneric(() => flood(passFd)),
  full: inFull,
  read: inReader,
} as const
type Name = keyof typeof MEASURED
const names = Object.keys(MEASURED) as readonly Name[]

const bannedBefore = bannedOf()
const ns: Record<Name, number[]> = { native: [], generic: [], full: [], read: [] }
// The first round warms up.
for (let round = 0; round <= rounds; round++) {
  for (const name of names) {
    const one = await MEASURED[name]()
    if (round > 0) ns[name].push(one)
  }
}
const banned = bannedOf() - bannedBefore
if (banned < 2 * packets * (rounds + 1)) throw new Error(`only ${banned} packets were dropped in XDP`)
const atSocket = udpCounts()
// Those that lie in the buffer when the socket is closed are in no count.
if (atSocket < 1.9 * packets * (rounds + 1))
  throw new Error(`only ${atSocket} packets came as far as the socket`)
const [full, read] = [median(ns.full), median(ns.read)]
for (const name of names) {
  const one = median(ns[name])
  const times = (of: number) => (of / one).toFixed(1)
  const beside = name === 'native' || name === 'generic'
  console.log(
    `${name.padEnd(8)} ${one.toFixed(0).padStart(5)} ns a packet${beside ? `: ${times(full)} x less than full, ${times(read)} x less than read` : ''}`,
  )
}
closeSync(passFd)
edge.close()
process.exit(0)

function bannedOf(): number {
  return edge.totals().find(({ verdict }) => verdict === 'banned')?.packets ?? 0
}

/** Datagrams that a socket took or had no room for, in this namespace. */
function udpCounts(): number {
  const [names = '', counts = ''] = readFileSync('/proc/thread-self/net/snmp', 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('Udp:'))
  const at = names.split(' ')
  const of = (name: string) => Number(counts.split(' ')[at.indexOf(name)])
  return of('InDatagrams') + of('RcvbufErrors')
}
