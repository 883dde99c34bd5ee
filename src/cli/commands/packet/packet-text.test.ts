import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PacketCounts } from '../../../contract/packet.ts'
import { histogram, leftOut, summary } from './packet-text.ts'
import { statusText } from './status.ts'

const NONE: PacketCounts = { totals: [], fragments: { packets: 0, bytes: 0 }, ports: [] }
const COUNTS: PacketCounts = {
  totals: [
    { protocol: 'udp', verdict: 'passed', packets: 7, bytes: 700 },
    { protocol: 'udp', verdict: 'banned', packets: 2, bytes: 200 },
    { protocol: 'tcp', verdict: 'passed', packets: 30, bytes: 30_000 },
    { protocol: 'unreadable', verdict: 'unreadable', packets: 1, bytes: 20 },
  ],
  fragments: { packets: 1, bytes: 100 },
  ports: [
    { protocol: 'udp', port: 53, packets: 8, bytes: 800 },
    { protocol: 'tcp', port: 53, packets: 2, bytes: 2000 },
    { protocol: 'tcp', port: 443, packets: 10, bytes: 10_000 },
    { protocol: 'tcp', port: 80, packets: 18, bytes: 18_000 },
  ],
}

test('the busiest port comes first, and of equal ones the lower', () => {
  assert.deepEqual(histogram(COUNTS, { protocol: undefined, top: 20 }), [
    'DEST_PORT : 80, COUNT : 18',
    'DEST_PORT : 53, COUNT : 10',
    'DEST_PORT : 443, COUNT : 10',
  ])
  assert.deepEqual(histogram(COUNTS, { protocol: 'tcp', top: 1 }), ['DEST_PORT : 80, COUNT : 18'])
  assert.equal(leftOut(COUNTS, { protocol: 'tcp', top: 1 }), 2)
  assert.equal(leftOut(COUNTS, { protocol: 'udp', top: 1 }), 0)
})

test('a summary tells what was dropped, and what has no port', () => {
  assert.equal(summary(NONE), 'no packets')
  assert.equal(
    summary(COUNTS),
    '40 packets, 30.9 kB: tcp 30, udp 9, unreadable 1; dropped as banned 2; dropped as unreadable 1; later fragments, without a port: 1',
  )
})

test('a status names interfaces with their modes, or why they are left alone', () => {
  assert.equal(
    statusText({
      interfaces: [
        { name: 'eth0', state: 'attached', mode: 'native' },
        { name: 'lo', state: 'attached', mode: 'generic', note: 'its driver does not take XDP programs' },
        { name: 'eth9', state: 'absent', reason: 'there is no such interface' },
      ],
      prefixes: 3,
      totals: [{ protocol: 'tcp', verdict: 'banned', packets: 5, bytes: 370 }],
      fragments: { packets: 1, bytes: 9 },
      ports: [{ protocol: 'tcp', port: 443, packets: 5, bytes: 370 }],
    }),
    [
      'INTERFACE  MODE     WHY',
      'eth0       native',
      'lo         generic  its driver does not take XDP programs',
      'eth9       -        there is no such interface',
      '',
      'banned prefixes, and holes in them, in the kernel: 3',
      '',
      'PROTOCOL  VERDICT  PACKETS  BYTES',
      'tcp       banned   5        370 B',
      '',
      'later fragments among them: 1',
      '',
      'PROTOCOL  PORT  PACKETS  BYTES',
      'tcp       443   5        370 B',
    ].join('\n'),
  )
})
