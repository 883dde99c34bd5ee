import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseIp } from '../base/ip-address.ts'
import { KeyedHash } from './keyed-hash.ts'

function text(hash: KeyedHash, key: string, kind = 0): string {
  hash.ofText(key, kind)
  return `${hash.high} ${hash.low}`
}

function prefix(hash: KeyedHash, address: string, bits: number): string {
  const { words, family } = parseIp(address)!
  hash.ofPrefix(words, family === 4 ? 3 : 0, bits, family)
  return `${hash.high} ${hash.low}`
}

test('no two of many keys have one hash, and another secret gives others', () => {
  const [one, other] = [new KeyedHash(1, 2), new KeyedHash(1, 3)]
  const keys = new Set<string>()
  for (let i = 0; i < 20_000; i++) {
    keys.add(text(one, `${i}`))
    keys.add(text(one, `${i}`, 1))
    keys.add(text(other, `${i}`))
  }
  // Texts of which one begins as the other ends, and characters of two bytes.
  for (const key of ['\0', '\0\0', 'a\0', '\u0100', '\u0001\0']) keys.add(text(one, key))
  assert.equal(keys.size, 60_005)
})

test('one bit of a key changes half of its hash', () => {
  const hash = new KeyedHash(123, 456)
  let changed = 0
  const rounds = 2000
  for (let i = 0; i < rounds; i++) {
    hash.ofText(`key ${i} `, 0)
    const [high, low] = [hash.high, hash.low]
    hash.ofText(`key ${i}!`, 0)
    for (let bits of [hash.high ^ high, hash.low ^ low]) for (; bits !== 0; bits &= bits - 1) changed += 1
  }
  const share = changed / (rounds * 64)
  assert.ok(share > 0.49 && share < 0.51, `${share}`)
})

test('addresses with the same prefix have its hash, at every length', () => {
  const hash = new KeyedHash(7, 8)
  const base = '2001:db8:f0f0:f0f0:f0f0:f0f0:f0f0:f0f0'
  for (let bits = 1; bits <= 128; bits++) {
    const { words } = parseIp(base)!
    const flipped = (bit: number) => {
      const changed = [...words] as [number, number, number, number]
      changed[bit >> 5] = (changed[bit >> 5]! ^ (1 << (31 - (bit & 31)))) >>> 0
      hash.ofPrefix(changed, 0, bits, 6)
      return `${hash.high} ${hash.low}`
    }
    const own = prefix(hash, base, bits)
    if (bits < 128) assert.equal(flipped(bits), own, `/${bits}`)
    assert.notEqual(flipped(bits - 1), own, `/${bits}`)
  }
  assert.notEqual(prefix(hash, '10.0.0.0', 8), prefix(hash, '10.0.0.0', 9))
  assert.equal(prefix(hash, '10.0.0.1', 24), prefix(hash, '10.0.0.2', 24))
})
