import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { compiled, HEADERS, libbpfHere, NO_PROGRAMS } from '../testing/compiled.support.ts'
import { type Btf, readBtf } from './btf.ts'
import { decodePrefix, decodeValue, encodePrefix, encodeValue, sumOf, type Value } from './values.ts'

/** One variable of each type, which is then in the object's types. */
const SOURCE = `${HEADERS}
#include <linux/in.h>
typedef __u16 port_t;
enum colour { RED, GREEN = 5, BLUE = -1 };
struct inner { __u32 left; union { __u32 whole; struct { __u16 low; __u16 high; }; }; };
struct bits { __u32 first : 3; __u32 second : 13; __u32 third : 16; };
__u8 v_u8; __s8 v_s8; port_t v_port; __s32 v_s32; __u64 v_u64; __s64 v_s64; _Bool v_bool;
__be16 v_be16; __be32 v_be32; __be64 v_be64; struct in_addr v_in; struct in6_addr v_in6;
enum colour v_colour;
char v_text[8]; unsigned char v_card[6]; __u8 v_bytes[3]; __u32 v_list[2]; __u16 v_grid[2][2];
struct inner v_inner; struct bits v_bits; const volatile struct inner v_const = {1}; void *v_pointer;
SEC("xdp") int f(struct xdp_md *ctx) { return XDP_PASS; }
`

const CASES: readonly (readonly [name: string, hex: string, value: Value])[] = [
  ['v_u8', 'ff', 255],
  ['v_s8', 'ff', -1],
  ['v_port', '8d13', 5005],
  ['v_s32', 'feffffff', -2],
  ['v_u64', 'ffffffffffffffff', 2n ** 64n - 1n],
  ['v_u64', '0500000000000000', 5],
  ['v_s64', '0000000000000080', -(2n ** 63n)],
  ['v_bool', '01', true],
  ['v_be16', '138d', 5005],
  ['v_be32', 'c0000201', '192.0.2.1'],
  ['v_be64', '0000000000000102', 258],
  ['v_in', '7f000001', '127.0.0.1'],
  ['v_in6', '20010db8000000000000000000000001', '2001:db8::1'],
  ['v_colour', '05000000', 'GREEN'],
  ['v_colour', 'ffffffff', 'BLUE'],
  ['v_colour', '09000000', 9],
  ['v_text', '6f726c6100000000', 'orla'],
  ['v_text', '0102030000000000', '0x0102030000000000'],
  ['v_card', '020000000001', '02:00:00:00:00:01'],
  ['v_bytes', '010203', [1, 2, 3]],
  ['v_list', '0100000002000000', [1, 2]],
  [
    'v_grid',
    '0100020003000400',
    [
      [1, 2],
      [3, 4],
    ],
  ],
  ['v_inner', '0100000002000300', { left: 1, whole: 196610, low: 2, high: 3 }],
  ['v_bits', '0d00ffff', { first: 5, second: 1, third: 65535 }],
  ['v_const', '0100000000000000', { left: 1, whole: 0, low: 0, high: 0 }],
  ['v_pointer', '0100000000000000', '0x0100000000000000'],
]

describe('values by their types', { skip: NO_PROGRAMS }, () => {
  let btf: Btf | undefined
  const typeOf = (name: string): number => {
    const type = btf!.types.find((one) => one.kind === 'variable' && one.name === name)
    assert.ok(type?.kind === 'variable', name)
    return type.of
  }
  test('types are read from an object', async (t) => {
    const object = libbpfHere().open(await compiled(t, SOURCE), 'values')
    t.after(() => object.close())
    btf = readBtf(object.btf()!)
    assert.equal(btf.bytesOf(typeOf('v_grid')), 8)
    assert.equal(btf.nameOf(typeOf('v_port')), 'port_t')
  })
  for (const [name, hex, value] of CASES) {
    test(`${name.slice(2)} of ${hex}`, () => {
      assert.deepEqual(decodeValue(btf, typeOf(name), Buffer.from(hex, 'hex')), value)
    })
  }
  const NO_WAY_BACK = new Set(['v_card', 'v_bits', 'v_inner', 'v_const'])
  test('what was decoded is encoded to the same bytes', () => {
    for (const [name, hex, value] of CASES) {
      if (NO_WAY_BACK.has(name)) continue
      const bytes = Buffer.from(hex, 'hex')
      assert.equal(encodeValue(btf, typeOf(name), value, bytes.length).toString('hex'), hex, name)
    }
    const inner = encodeValue(btf, typeOf('v_inner'), { left: 7 }, 8)
    assert.equal(inner.toString('hex'), '0700000000000000')
  })
  const WRONG: readonly (readonly [name: string, value: Value | Buffer, bytes: number, message: RegExp])[] = [
    ['v_u8', 256, 1, /256 does not fit into 1 bytes/],
    ['v_u8', 0.5, 1, /expected a whole number, not 0\.5/],
    ['v_u8', Number.NaN, 1, /expected a whole number/],
    ['v_u8', Buffer.alloc(2), 1, /expected 1 bytes, not 2/],
    ['v_be32', 'localhost', 4, /expected an IP address, not "localhost"/],
    ['v_colour', 'PINK', 4, /expected one of RED, GREEN, BLUE, not "PINK"/],
    ['v_inner', { middle: 1 }, 8, /struct inner has no member "middle"; it has left/],
    ['v_inner', 7, 8, /expected an object with left.*, not a number/],
    ['v_list', [1, 2, 3], 8, /expected 2 elements, not 3/],
    ['v_text', 'too long for it', 8, /expected at most 8 bytes/],
    ['v_bits', { first: 1 }, 4, /"first" is a bit field/],
  ]
  for (const [name, value, bytes, message] of WRONG) {
    test(`${name.slice(2)} cannot be ${Buffer.isBuffer(value) ? 'two bytes' : JSON.stringify(value)}`, () => {
      assert.throws(() => encodeValue(btf, typeOf(name), value, bytes), message)
    })
  }
})

test('prefixes are texts, both ways', () => {
  for (const [text, hex] of [
    ['10.0.0.0/8', '080000000a000000'],
    ['2001:db8::/32', '2000000020010db8000000000000000000000000'],
  ] as const) {
    assert.equal(encodePrefix(text, hex.length / 2).toString('hex'), hex)
    assert.equal(decodePrefix(Buffer.from(hex, 'hex')), text)
  }
  assert.equal(decodePrefix(Buffer.from('0300000007', 'hex')), '0x07/3')
  for (const wrong of ['10.0.0.0', '10.0.0.0/33', '10.0.0/8', '::/0', '10.0.0.0/-1', '']) {
    assert.throws(() => encodePrefix(wrong, 8), /expected a prefix such as 10\.0\.0\.0\/8/)
  }
})

test('sums go member by member, and know what cannot be summed', () => {
  assert.equal(sumOf([1, 2, 2n ** 60n]), 2n ** 60n + 3n)
  assert.deepEqual(
    sumOf([
      { packets: 1, sizes: [1, 2] },
      { packets: 4, sizes: [3, 4] },
    ]),
    { packets: 5, sizes: [4, 6] },
  )
  assert.equal(sumOf(['a', 'a']), 'a')
  assert.equal(sumOf(['a', 'b']), undefined)
  assert.equal(sumOf([{ a: 'x' }, { a: 'y' }]), undefined)
  assert.equal(sumOf([]), undefined)
})

test('what has no type, or is shorter than its type, is hex', () => {
  assert.equal(decodeValue(undefined, 1, Buffer.from('01ff', 'hex')), '0x01ff')
  assert.deepEqual(encodeValue(undefined, 0, 258, 2), Buffer.from('0201', 'hex'))
  assert.deepEqual(encodeValue(undefined, 0, '0x01ff', 2), Buffer.from('01ff', 'hex'))
  assert.throws(
    () => encodeValue(undefined, 0, 'text', 2),
    /the type is not known: expected a whole number, or a Buffer of 2 bytes/,
  )
})
