import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatIp } from '../base/ip-address.ts'
import { crc32c, parseProxyHeader, V2_BYTES_MAX } from './proxy-protocol.ts'

const SIGNATURE = '\r\n\r\n\0\r\nQUIT\n'

/** `source:port>destination:port`, `none`, `more`, or what is wrong. */
function read(bytes: Buffer | string): string {
  const buffer = typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes
  const result = parseProxyHeader(buffer)
  if (result.kind === 'malformed') return `malformed: ${result.reason}`
  if (result.kind === 'more') return 'more'
  const { ends, next } = result
  const rest = buffer.toString('latin1', next)
  if (ends === undefined) return `none ${rest}`
  return `${formatIp(ends.source)} ${ends.sourcePort} > ${formatIp(ends.destination)} ${ends.destinationPort} ${rest}`
}

function v2(
  command: number,
  family: number,
  addresses: readonly number[],
  more: readonly number[] = [],
): Buffer {
  const length = addresses.length + more.length
  return Buffer.concat([
    Buffer.from(SIGNATURE, 'latin1'),
    Buffer.from([command, family, length >> 8, length & 255, ...addresses, ...more]),
    Buffer.from('GET'),
  ])
}

const V4 = [192, 0, 2, 1, 198, 51, 100, 2, 0x12, 0x34, 0x01, 0xbb]
const V6 = [
  0x20,
  1,
  0xd,
  0xb8,
  ...Array<number>(11).fill(0),
  1,
  0x20,
  1,
  0xd,
  0xb8,
  ...Array<number>(11).fill(0),
  2,
  0,
  80,
  0,
  81,
]

test('a line of version 1 says whose the connection is', () => {
  assert.equal(
    read('PROXY TCP4 192.0.2.1 198.51.100.2 4660 443\r\nGET'),
    '192.0.2.1 4660 > 198.51.100.2 443 GET',
  )
  assert.equal(read('PROXY TCP6 2001:DB8::1 ::1 1 65535\r\n'), '2001:db8::1 1 > ::1 65535 ')
  assert.equal(read('PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n'), '192.0.2.1 1 > ::1 2 ')
  assert.equal(read('PROXY UNKNOWN\r\nGET'), 'none GET')
  assert.equal(read('PROXY UNKNOWN whatever it says\r\nGET'), 'none GET')
})

test('what is nearly a line of version 1 is malformed', () => {
  for (const line of [
    'PROXY TCP4 192.0.2.1 198.51.100.2 4660',
    'PROXY TCP4 192.0.2.1 198.51.100.2 4660 443 1',
    'PROXY TCP4  192.0.2.1 198.51.100.2 4660 443',
    'PROXY TCP4 2001:db8::1 ::1 1 2',
    'PROXY TCP6 192.0.2.1 198.51.100.2 1 2',
    'PROXY TCP4 192.0.2.256 198.51.100.2 1 2',
    'PROXY TCP4 192.0.2.01 198.51.100.2 1 2',
    'PROXY TCP4 192.0.2.1 198.51.100.2 65536 2',
    'PROXY TCP4 192.0.2.1 198.51.100.2 -1 2',
    'PROXY TCP4 192.0.2.1 198.51.100.2 1 02',
    'PROXY tcp4 192.0.2.1 198.51.100.2 1 2',
    'PROXY UDP4 192.0.2.1 198.51.100.2 1 2',
    'PROXY UNKNOWNS',
    'PROXY ',
  ])
    assert.match(read(`${line}\r\n`), /^malformed/, line)
  for (const bytes of ['GET / HTTP/1.1\r\n', 'proxy TCP4', 'PROXYTCP4', '\x16\x03\x01', '\r\n\r\n\0\r\nQUIX'])
    assert.match(read(bytes), /^malformed/, JSON.stringify(bytes))
})

test('a line that does not end is not waited for', () => {
  assert.equal(read(`PROXY UNKNOWN ${'x'.repeat(92)}`), 'more')
  assert.match(read(`PROXY UNKNOWN ${'x'.repeat(93)}`), /does not end/)
  assert.equal(read(`PROXY UNKNOWN ${'x'.repeat(91)}\r\n`), 'none ')
  assert.match(read(`PROXY UNKNOWN ${'x'.repeat(92)}\r\n`), /does not end/)
})

test('version 2 says it in bytes, and what else it says is skipped', () => {
  assert.equal(read(v2(0x21, 0x11, V4)), '192.0.2.1 4660 > 198.51.100.2 443 GET')
  assert.equal(read(v2(0x21, 0x21, V6)), '2001:db8::1 80 > 2001:db8::2 81 GET')
  const fields = [0x01, 0, 2, 0x68, 0x32, 0x04, 0, 0, 0xee, 0, 3, 1, 2, 3]
  assert.equal(read(v2(0x21, 0x11, V4, fields)), '192.0.2.1 4660 > 198.51.100.2 443 GET')
  assert.equal(read(v2(0x20, 0x00, [])), 'none GET')
  assert.equal(read(v2(0x20, 0x11, [1, 2, 3])), 'none GET')
  assert.equal(read(v2(0x21, 0x00, [])), 'none GET')
  assert.equal(read(v2(0x21, 0x31, Array<number>(216).fill(65))), 'none GET')
  assert.equal(read(v2(0x21, 0x12, V4)), 'none GET')
})

test('what is nearly version 2 is malformed', () => {
  assert.match(read(v2(0x11, 0x11, V4)), /version or command/)
  assert.match(read(v2(0x22, 0x11, V4)), /version or command/)
  assert.match(read(v2(0x21, 0x41, V4)), /family/)
  assert.match(read(v2(0x21, 0x13, V4)), /family/)
  assert.match(read(v2(0x21, 0x11, V4.slice(1))), /shorter/)
  assert.match(read(v2(0x21, 0x21, V4)), /shorter/)
  assert.match(read(v2(0x21, 0x11, V4, [1, 0])), /cut short/)
  assert.match(read(v2(0x21, 0x11, V4, [1, 0, 5, 0])), /cut short/)
  assert.match(read(v2(0x21, 0x11, V4, [3, 0, 2, 0, 0])), /checksum of another length/)
  const endless = Buffer.concat([Buffer.from(SIGNATURE, 'latin1'), Buffer.from([0x21, 0x11, 0xff, 0xff])])
  assert.match(read(endless), new RegExp(`more than ${V2_BYTES_MAX}`))
})

test('a checksum is verified where there is one', () => {
  assert.equal(crc32c(Buffer.from('123456789')), 0xe3069283)
  const header = v2(0x21, 0x11, V4, [3, 0, 4, 0, 0, 0, 0])
  const at = header.length - 3 - 4
  header.writeUInt32BE(crc32c(header.subarray(0, header.length - 3)), at)
  assert.equal(read(header), '192.0.2.1 4660 > 198.51.100.2 443 GET')
  header[at]! ^= 1
  assert.match(read(header), /does not fit/)
})

test('however a header is cut into pieces, it is waited for, and then read the same', () => {
  const headers = [
    Buffer.from('PROXY TCP6 2001:db8::1 ::1 4660 443\r\n', 'latin1'),
    Buffer.from('PROXY UNKNOWN\r\n', 'latin1'),
    v2(0x21, 0x21, V6, [4, 0, 1, 0]).subarray(0, -3),
    v2(0x20, 0x00, []).subarray(0, -3),
  ]
  for (const header of headers) {
    for (let cut = 0; cut < header.length; cut++)
      assert.equal(read(header.subarray(0, cut)), 'more', `${cut}`)
    assert.notEqual(read(header), 'more')
  }
})

test('random bytes never pass for a header, and never throw', () => {
  let state = 99
  const random = (below: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
  const whole = [
    v2(0x21, 0x21, V6, [4, 0, 1, 0]),
    Buffer.from('PROXY TCP4 192.0.2.1 198.51.100.2 4660 443\r\n'),
  ]
  for (let round = 0; round < 20_000; round++) {
    const bytes = Buffer.from(whole[random(2)]!)
    for (let i = 0; i <= random(4); i++) bytes[random(bytes.length)] = random(256)
    const result = parseProxyHeader(bytes)
    if (result.kind !== 'header') continue
    assert.ok(result.next <= bytes.length)
    if (result.ends !== undefined) assert.ok(result.ends.sourcePort < 65_536)
  }
})
