import assert from 'node:assert/strict'
import { isIP } from 'node:net'
import { test } from 'node:test'
import { formatIp, parseIp } from './ip-address.ts'

/** Small and seeded, so that a failure can be repeated. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

const written = (text: string): string | undefined => {
  const ip = parseIp(text)
  return ip && formatIp(ip)
}

test('an address is written in one way, however it came', () => {
  const cases: readonly (readonly [text: string, written: string])[] = [
    ['192.0.2.1', '192.0.2.1'],
    ['0.0.0.0', '0.0.0.0'],
    ['255.255.255.255', '255.255.255.255'],
    ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['2001:0db8::0001', '2001:db8::1'],
    ['::', '::'],
    ['::1', '::1'],
    ['1::', '1::'],
    ['fe80::1', 'fe80::1'],
    ['1:0:0:2:0:0:0:3', '1:0:0:2::3'],
    ['1:0:0:2:3:0:0:4', '1::2:3:0:0:4'],
    ['1:2:3:4:5:6:7:0', '1:2:3:4:5:6:7:0'],
    ['1:2:3:4:5:6:1.2.3.4', '1:2:3:4:5:6:102:304'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::FFFF:c000:0201', '192.0.2.1'],
    ['0:0:0:0:0:ffff:192.0.2.1', '192.0.2.1'],
  ]
  for (const [text, expected] of cases) assert.equal(written(text), expected, text)
})

test('what is no address, or could be read in two ways, is refused', () => {
  const texts = [
    '',
    ' 1.2.3.4',
    '1.2.3',
    '1.2.3.4.5',
    '1.2.3.256',
    '01.2.3.4',
    '1.2.3.4 ',
    '1..3.4',
    '0x7f.0.0.1',
    '2130706433',
    '1.2.3.4:80',
    '[::1]',
    '::1%eth0',
    ':',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7:8::',
    '::1:2:3:4:5:6:7:8',
    '1:2:3:4:5:6:7:',
    ':1:2:3:4:5:6:7',
    '12345::',
    'g::',
    '::1.2.3',
    '::1.2.3.4:5',
    '1.2.3.4::',
    '1:2:3:4:5:6:7:1.2.3.4',
    `${'0'.repeat(50)}`,
  ]
  for (const text of texts) assert.equal(parseIp(text), undefined, JSON.stringify(text))
})

test('it reads what the system reads, and no more', () => {
  const random = randomFrom(20260501)
  const alphabet = '0123456789abcf:.:::.'
  let read = 0
  for (let round = 0; round < 100_000; round++) {
    const text =
      round % 4 === 0
        ? Array.from({ length: 1 + random(24) }, () => alphabet[random(alphabet.length)]).join('')
        : mutated(random)
    const ours = parseIp(text)
    assert.equal(ours !== undefined, isIP(text) !== 0, text)
    if (ours === undefined) continue
    read += 1
    assert.deepEqual(parseIp(formatIp(ours)), ours, text)
  }
  assert.ok(read > 20_000, `only ${read} addresses among the texts`)
})

/** A text that is an address, or nearly one. */
function mutated(random: (below: number) => number): string {
  const v4 = () => Array.from({ length: 4 }, () => random(256)).join('.')
  const groups = Array.from({ length: 8 }, () => (random(2) === 0 ? '0' : random(65_536).toString(16)))
  let text = random(2) === 0 ? v4() : groups.join(':')
  if (random(3) === 0) text = text.replace(/(?:^|:)0(?::0)*(?=:|$)/, random(4) === 0 ? '::0' : ':')
  if (random(4) === 0 && text.includes(':')) text = text.replace(/:[^:]*:[^:]*$/, `:${v4()}`)
  if (random(3) === 0) {
    const at = random(text.length + 1)
    text = text.slice(0, at) + ':.0f'[random(4)]! + text.slice(at + random(2))
  }
  return text
}
