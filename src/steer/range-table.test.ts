/** Tables of ranges, held against a walk over all prefixes. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type IpAddress, parseIp } from '../base/ip-address.ts'
import { covers, prefixOf, readPrefix, type IpPrefix } from '../base/ip-prefix.ts'
import { combining, type NumberedPrefix, rangesOf, NOWHERE } from './range-table.ts'

const numbered = (text: string, value: number): NumberedPrefix => ({
  ...(readPrefix(text) as IpPrefix),
  value,
})
const ip = (text: string): IpAddress => parseIp(text)!

/** Seeded, so that what fails fails again. */
function dice(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state
  }
}

function longestAround(prefixes: readonly NumberedPrefix[], address: IpAddress): number {
  const whole = prefixOf(address, 128)
  let best: NumberedPrefix | undefined
  for (const prefix of prefixes)
    if (covers(prefix, whole) && (best === undefined || prefix.length >= best.length)) best = prefix
  return best?.value ?? NOWHERE
}

/** Prefixes that lie in each other more often than chance has it. */
function somePrefixes(family: 4 | 6, count: number, roll: () => number): NumberedPrefix[] {
  return Array.from({ length: count }, (_, value) => {
    const few = [0, 0x8000_0000, 0xffff_ffff, roll() & 0xf000_0000, roll()]
    const word = () => few[roll() % few.length]! >>> 0
    const words = family === 4 ? ([0, 0, 0, word()] as const) : ([word(), word(), word(), word()] as const)
    return { ...prefixOf({ family, words }, roll() % (family === 4 ? 33 : 129)), value }
  })
}

for (const family of [4, 6] as const)
  test(`the longest prefix around an IPv${family} address is found, and how many bits say so`, () => {
    for (let seed = 1; seed <= 40; seed++) {
      const roll = dice(seed)
      const prefixes = somePrefixes(family, 1 + (seed % 20), roll)
      const table = rangesOf(family, prefixes)
      for (const { words } of somePrefixes(family, 60, roll)) {
        const range = table.find(words)
        assert.equal(table.values[range], longestAround(prefixes, { family, words }), `seed ${seed}`)
        const length = table.lengthAround(range, words)
        const around = prefixOf({ family, words }, length)
        // All of the prefix is in the range; of one bit less, not all.
        const last = lastOf(around)
        assert.equal(table.find(around.words), range, `seed ${seed}`)
        assert.equal(table.find(last), range, `seed ${seed}`)
        if (length > 0) {
          const wider = prefixOf({ family, words }, length - 1)
          assert.ok(table.find(wider.words) !== range || table.find(lastOf(wider)) !== range, `seed ${seed}`)
        }
      }
    }
  })

function lastOf({ family, words, length }: IpPrefix): IpAddress['words'] {
  const bits = family === 4 ? length + 96 : length
  const last = words.map((word, index) => {
    const own = Math.max(0, Math.min(32, bits - index * 32))
    if (family === 4 && index < 3) return 0
    return own === 32 ? word : (word | (0xffff_ffff >>> own)) >>> 0
  })
  return last as unknown as IpAddress['words']
}

test('many ranges are found by the first bits of an address', () => {
  const prefixes = Array.from({ length: 5000 }, (_, index) =>
    numbered(`${10 + (index >> 12)}.${(index >> 4) & 255}.${(index & 15) << 4}.0/${20 + (index % 5)}`, index),
  )
  const table = rangesOf(4, prefixes)
  const roll = dice(7)
  for (let asked = 0; asked < 500; asked++) {
    const words = [0, 0, 0, (0x0a00_0000 + (roll() % 0x0200_0000)) >>> 0] as const
    assert.equal(table.valueOf(words), longestAround(prefixes, { family: 4, words }))
  }
  assert.equal(table.valueOf(ip('0.0.0.0').words), NOWHERE)
  assert.equal(table.valueOf(ip('255.255.255.255').words), NOWHERE)
})

test('ranges with the same number that follow each other are one', () => {
  const table = rangesOf(4, [
    numbered('10.0.0.0/9', 1),
    numbered('10.128.0.0/9', 1),
    numbered('11.0.0.0/8', 2),
  ])
  assert.equal(table.count, 4)
  assert.equal(table.lengthAround(table.find(ip('10.200.0.0').words), ip('10.200.0.0').words), 8)
})

test('several tables are one in which all of them are heard', () => {
  const one = rangesOf(4, [numbered('10.0.0.0/8', 1), numbered('192.0.2.0/24', 2)])
  const other = rangesOf(4, [numbered('10.1.0.0/16', 1), numbered('0.0.0.0/0', 0)])
  const run = combining(4, [one, other], (values) => (values[0]! + 1) * 10 + values[1]! + 1)
  let step = run.next()
  while (!step.done) step = run.next()
  const table = step.value
  assert.equal(table.valueOf(ip('10.1.2.3').words), 22)
  assert.equal(table.valueOf(ip('10.2.2.3').words), 21)
  assert.equal(table.valueOf(ip('192.0.2.3').words), 31)
  assert.equal(table.valueOf(ip('1.1.1.1').words), 1)
})
