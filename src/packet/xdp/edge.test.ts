/**
 * What the edge's XDP program makes of frames, one by one, in the kernel and without any interface (BPF_PROG_TEST_RUN): the committed object,
 * and one that is compiled here, do the same.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { buildEdge } from '../../../scripts/xdp.ts'
import type { PacketCounts, PacketKind } from '../../contract/packet.ts'
import { EdgeProgram, type EdgeProgramOptions } from '../edge-program.ts'
import { loadLibbpf } from '../libbpf.ts'
import { countsSince } from '../packet-counts.ts'
import {
  authentication,
  ethernet,
  extension,
  fragment,
  ipv4,
  ipv6,
  notIp,
  other,
  type Packet,
  tcp,
  udp,
} from '../testing/frames.ts'

const V4 = { from: '192.0.2.7', to: '198.51.100.1' }
const V6 = { from: '2001:db8::7', to: '2001:db8:1::1' }
const XDP_DROP = 1
const XDP_PASS = 2
/** The shortest that a frame may be for the kernel to try a program on it. */
const FRAME_MIN = 14

interface Row {
  readonly protocol: PacketKind
  readonly port?: number
  readonly isFragment?: boolean
}

const cut = (packet: Packet, bytes: number): Buffer => ethernet(packet).subarray(0, 14 + bytes)
const eight = Array.from({ length: 8 }, () => extension(60))

/** What frames are, by what they hold. */
const FRAMES: Readonly<Record<string, readonly [Buffer, Row]>> = {
  'UDP over IPv4': [ethernet(ipv4(V4, udp(5005))), { protocol: 'udp', port: 5005 }],
  'TCP over IPv4': [ethernet(ipv4(V4, tcp(443))), { protocol: 'tcp', port: 443 }],
  'TCP with options': [ethernet(ipv4(V4, tcp(443, 2, 10))), { protocol: 'tcp', port: 443 }],
  'ports 0 and 65535': [ethernet(ipv4(V4, udp(65_535))), { protocol: 'udp', port: 65_535 }],
  'port 0': [ethernet(ipv4(V4, tcp(0))), { protocol: 'tcp', port: 0 }],
  'UDP over IPv6': [ethernet(ipv6(V6, udp(53))), { protocol: 'udp', port: 53 }],
  'TCP over IPv6': [ethernet(ipv6(V6, tcp(8443))), { protocol: 'tcp', port: 8443 }],
  'IPv4 with options (RFC 791 §3.1)': [
    ethernet(ipv4(V4, udp(5005), { options: Buffer.alloc(40, 1) })),
    { protocol: 'udp', port: 5005 },
  ],
  'a tag of 802.1Q': [
    ethernet(ipv4(V4, udp(5005)), { tags: [{ vlan: 7 }] }),
    { protocol: 'udp', port: 5005 },
  ],
  'a tag of 802.1ad': [
    ethernet(ipv6(V6, tcp(80)), { tags: [{ vlan: 7, type: 0x88a8 }] }),
    { protocol: 'tcp', port: 80 },
  ],
  'two tags': [
    ethernet(ipv4(V4, udp(5005)), { tags: [{ vlan: 7, type: 0x88a8 }, { vlan: 8 }] }),
    { protocol: 'udp', port: 5005 },
  ],
  'three tags': [
    ethernet(ipv4(V4, udp(5005)), { tags: [{ vlan: 7 }, { vlan: 8 }, { vlan: 9 }] }),
    { protocol: 'unreadable' },
  ],
  'the first fragment of IPv4': [
    ethernet(ipv4(V4, udp(5005), { moreFragments: true })),
    { protocol: 'udp', port: 5005 },
  ],
  'a later fragment of IPv4': [
    ethernet(ipv4(V4, other(17), { fragmentOffset: 2 })),
    { protocol: 'udp', isFragment: true },
  ],
  'the first fragment of IPv6': [
    ethernet(ipv6(V6, udp(5005), [fragment(0, true)])),
    { protocol: 'udp', port: 5005 },
  ],
  'a later fragment of IPv6': [
    ethernet(ipv6(V6, other(6), [fragment(3, false)])),
    { protocol: 'tcp', isFragment: true },
  ],
  'extension headers (RFC 8200 §4)': [
    ethernet(ipv6(V6, tcp(80), [extension(0), extension(43, 2), extension(60), fragment(0, false)])),
    { protocol: 'tcp', port: 80 },
  ],
  'an authentication header (RFC 4302 §2.2)': [
    ethernet(ipv6(V6, udp(5005), [authentication()])),
    { protocol: 'udp', port: 5005 },
  ],
  'eight extension headers': [ethernet(ipv6(V6, udp(5005), eight)), { protocol: 'udp', port: 5005 }],
  'nine extension headers': [
    ethernet(ipv6(V6, udp(5005), [...eight, extension(60)])),
    { protocol: 'unreadable' },
  ],
  ICMP: [ethernet(ipv4(V4, other(1))), { protocol: 'icmp' }],
  ICMPv6: [ethernet(ipv6(V6, other(58), [extension(0)])), { protocol: 'icmp' }],
  SCTP: [ethernet(ipv4(V4, other(132))), { protocol: 'other' }],
  'no next header': [ethernet(ipv6(V6, other(59, Buffer.alloc(0)))), { protocol: 'other' }],
  ARP: [ethernet(notIp()), { protocol: 'not-ip' }],
  'ARP in a tag': [ethernet(notIp(), { tags: [{ vlan: 7 }] }), { protocol: 'not-ip' }],
  'no more than an Ethernet header': [cut(ipv4(V4, udp(5005)), 0), { protocol: 'unreadable' }],
  'half a tag': [
    ethernet(ipv4(V4, udp(1)), { tags: [{ vlan: 7 }] }).subarray(0, 16),
    { protocol: 'unreadable' },
  ],
  'half an IPv4 header': [cut(ipv4(V4, udp(5005)), 19), { protocol: 'unreadable' }],
  'half of the options': [
    cut(ipv4(V4, udp(5005), { options: Buffer.alloc(40, 1) }), 40),
    { protocol: 'unreadable' },
  ],
  'half a UDP header': [cut(ipv4(V4, udp(5005)), 27), { protocol: 'unreadable' }],
  'half a TCP header': [cut(ipv4(V4, tcp(443)), 39), { protocol: 'unreadable' }],
  'half an IPv6 header': [cut(ipv6(V6, udp(5005)), 39), { protocol: 'unreadable' }],
  'half an extension header': [cut(ipv6(V6, udp(5005), [extension(60, 3)]), 41), { protocol: 'unreadable' }],
  'an extension header beyond the frame': [
    cut(ipv6(V6, udp(5005), [extension(60, 200)]), 80),
    { protocol: 'unreadable' },
  ],
  'half a fragment header': [cut(ipv6(V6, udp(5005), [fragment(0, true)]), 44), { protocol: 'unreadable' }],
  'IPv4 that says version 6': [ethernet(ipv4(V4, udp(5005), { version: 6 })), { protocol: 'unreadable' }],
  'IPv6 that says version 4': [ethernet(ipv6(V6, udp(5005), [], { version: 4 })), { protocol: 'unreadable' }],
  'IPv4 with a header of 16 bytes': [ethernet(ipv4(V4, udp(5005), { words: 4 })), { protocol: 'unreadable' }],
  'IPv4 shorter than its header': [ethernet(ipv4(V4, udp(5005), { length: 12 })), { protocol: 'unreadable' }],
  'ports in the padding behind IPv4': [
    ethernet(ipv4(V4, udp(5005), { length: 24 })),
    { protocol: 'unreadable' },
  ],
  'ports in the padding behind IPv6': [
    ethernet(ipv6(V6, udp(5005), [], { length: 4 })),
    { protocol: 'unreadable' },
  ],
  'an IPv4 length of 0, as of what the kernel put together': [
    ethernet(ipv4(V4, tcp(443), { length: 0 })),
    { protocol: 'tcp', port: 443 },
  ],
  'a TCP header of 16 bytes': [ethernet(ipv4(V4, tcp(443, 2, 4))), { protocol: 'unreadable' }],
}

const result = loadLibbpf()
const libbpf = result.kind === 'loaded' ? result.libbpf : undefined
const skip = skipReason() ?? false

function skipReason(): string | undefined {
  if (libbpf === undefined) return result.kind === 'missing' ? result.reason : undefined
  if (process.getuid?.() !== 0) return 'it loads programs into the kernel, which asks for root'
  return undefined
}

const loadedPrograms = new Map<string, EdgeProgram>()
after(() => {
  for (const edge of loadedPrograms.values()) edge.close()
})

interface Judging extends EdgeProgramOptions {
  readonly banned?: readonly string[]
  /** Which object, where it is not the committed one. */
  readonly from?: string
}

/** What a program did with a frame, and counted for it. It is loaded once for all frames. */
function judged(frame: Buffer, { banned = [], from = 'committed', ...options }: Judging = {}) {
  const { object: _, ...told } = options
  const key = JSON.stringify([banned, from, told])
  const edge = loadedPrograms.get(key) ?? EdgeProgram.load(libbpf!, options)
  if (!loadedPrograms.has(key)) {
    loadedPrograms.set(key, edge)
    edge.replace(banned, [])
  }
  const before = edge.counts()
  const { returned } = edge.program.testRun(frame)
  return { returned, counts: countsSince(before, edge.counts()) }
}

const expected = (
  { protocol, port, isFragment = false }: Row,
  bytes: number,
  verdict: 'passed' | 'banned' | 'unreadable',
): PacketCounts => ({
  totals: [{ protocol, verdict, packets: 1, bytes }],
  fragments: isFragment ? { packets: 1, bytes } : { packets: 0, bytes: 0 },
  ports: port === undefined ? [] : [{ protocol: protocol as 'udp' | 'tcp', port, packets: 1, bytes }],
})

const isTooShort = (frame: Buffer): boolean => frame.length <= FRAME_MIN

describe('the XDP program of the edge', { skip }, () => {
  for (const program of ['orla_edge', 'orla_edge_frags'] as const) {
    for (const [what, [frame, row]] of Object.entries(FRAMES)) {
      // The kernel tries nothing on a frame that holds no more than its header; a real one is met in packets.test.ts.
      if (isTooShort(frame)) continue
      test(`${program} reads ${what}`, () => {
        const { returned, counts } = judged(frame, { program })
        assert.equal(returned, XDP_PASS)
        assert.deepEqual(counts, expected(row, frame.length, 'passed'))
      })
    }
  }

  test('what cannot be read is dropped where the settings say so, and nothing else is', () => {
    for (const [what, [frame, row]] of Object.entries(FRAMES).filter(([, [one]]) => !isTooShort(one))) {
      const isRead = row.protocol !== 'unreadable'
      const { returned, counts } = judged(frame, { dropUnreadable: true })
      assert.equal(returned, isRead ? XDP_PASS : XDP_DROP, what)
      assert.deepEqual(counts, expected(row, frame.length, isRead ? 'passed' : 'unreadable'), what)
    }
  })

  test('a frame is dropped as soon as its source can be read and is banned', () => {
    const banned = ['192.0.2.7/32', '2001:db8::/32']
    for (const [what, [frame, row]] of Object.entries(FRAMES).filter(([, [one]]) => !isTooShort(one))) {
      const { returned, counts } = judged(frame, { banned })
      const verdict = returned === XDP_DROP ? 'banned' : 'passed'
      assert.deepEqual(counts, expected(row, frame.length, verdict), what)
      const isSourceRead = !/^(?:three tags|ARP.*|half a tag|half an IPv[46] header)$/.test(what)
      assert.equal(verdict, isSourceRead ? 'banned' : 'passed', what)
    }
  })

  test('an object that is compiled here does the same as the committed one', (t) => {
    if (spawnSync('clang', ['--version']).error) return t.skip('clang is not installed')
    const folder = mkdtempSync(join(tmpdir(), 'orla-xdp-'))
    t.after(() => rmSync(folder, { recursive: true, force: true }))
    buildEdge(join(folder, 'edge.o'))
    const compiled = readFileSync(join(folder, 'edge.o'))
    for (const program of ['orla_edge', 'orla_edge_frags'] as const) {
      for (const options of [{}, { dropUnreadable: true }, { banned: ['192.0.2.0/24', '2001:db8::/64'] }]) {
        for (const [what, [frame]] of Object.entries(FRAMES).filter(([, [one]]) => !isTooShort(one))) {
          assert.deepEqual(
            judged(frame, { ...options, program, object: compiled, from: 'compiled' }),
            judged(frame, { ...options, program }),
            what,
          )
        }
      }
    }
  })

  const edge = libbpf && skip === false ? EdgeProgram.load(libbpf) : undefined
  after(() => edge?.close())
  const isDropped = (from: string): boolean => {
    const to = from.includes(':') ? V6.to : V4.to
    const packet = from.includes(':') ? ipv6({ from, to }, udp(1)) : ipv4({ from, to }, udp(1))
    return edge!.program.testRun(ethernet(packet)).returned === XDP_DROP
  }

  test('the longest prefix decides, so that a prefix that is never banned is a hole in a ban', () => {
    edge!.replace(['10.0.0.0/8', '10.1.2.128/25', '2001:db8::/32'], ['10.1.2.0/24', '2001:db8:5::/48'])
    assert.deepEqual(
      ['10.0.0.1', '10.1.2.3', '10.1.2.200', '11.0.0.1', '2001:db8::1', '2001:db8:5::1', '2001:db9::1'].map(
        isDropped,
      ),
      [true, false, true, false, true, false, false],
    )
  })

  test('bans are replaced, added and taken away', () => {
    edge!.replace(['192.0.2.0/24'], [])
    assert.deepEqual(['10.0.0.1', '192.0.2.1'].map(isDropped), [false, true])
    edge!.ban(['10.0.0.1/32', '2001:db8::1/128'])
    edge!.unban(['192.0.2.0/24', '203.0.113.0/24'])
    assert.deepEqual(['10.0.0.1', '192.0.2.1', '2001:db8::1'].map(isDropped), [true, false, true])
    assert.equal(edge!.prefixes, 2)
    edge!.replace([], [])
    assert.deepEqual(['10.0.0.1', '2001:db8::1'].map(isDropped), [false, false])
    assert.equal(edge!.prefixes, 0)
  })

  test('prefixes of length 0 ban a whole family', () => {
    edge!.replace(['0.0.0.0/0'], [])
    assert.deepEqual(['10.0.0.1', '255.1.1.1', '2001:db8::1'].map(isDropped), [true, true, false])
    edge!.replace(['::/0'], [])
    assert.deepEqual(['10.0.0.1', '2001:db8::1', 'ffff::1'].map(isDropped), [false, true, true])
    edge!.replace([], [])
  })

  test('ten thousand prefixes are loaded in a moment', () => {
    const many = Array.from({ length: 10_000 }, (_, i) =>
      i % 2 === 0 ? `10.${i >> 8}.${i & 255}.0/24` : `2001:db8:${i.toString(16)}::/48`,
    )
    const started = performance.now()
    edge!.replace(many, [])
    const ms = performance.now() - started
    assert.equal(edge!.prefixes, 10_000)
    assert.deepEqual(['10.0.2.9', '10.0.3.9', '2001:db8:1::1', '2001:db8:2::1'].map(isDropped), [
      true,
      false,
      true,
      false,
    ])
    edge!.replace([], [])
    assert.deepEqual(['10.0.2.9', '2001:db8:1::1'].map(isDropped), [false, false])
    // Some 20 ms where nothing else runs.
    assert.ok(ms < 5_000, `${ms} ms`)
  })
})
