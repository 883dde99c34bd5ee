/** Who gets which prefix: by weights, and few of them change when a node goes. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bucketOf, nodeSeed, rendezvousCost } from './rendezvous.ts'

const PREFIXES = 40_000
/** As clients have them: /24 of the same few /8. */
const buckets = Array.from({ length: PREFIXES }, (_, index) =>
  bucketOf(0, 0, 0xffff, (0xc800_0000 + index * 256) | 0),
)

function winner(weights: Readonly<Record<string, number>>, bucket: number): string {
  let best = ''
  let least = Infinity
  for (const [name, weight] of Object.entries(weights)) {
    const cost = rendezvousCost(nodeSeed(name), bucket, weight)
    if (cost < least) [best, least] = [name, cost]
  }
  return best
}

const winners = (weights: Readonly<Record<string, number>>) =>
  buckets.map((bucket) => winner(weights, bucket))

const shareOf = (name: string, all: readonly string[]): number =>
  all.filter((one) => one === name).length / all.length

test('equal nodes get equal shares', () => {
  const names = Array.from({ length: 20 }, (_, index) => `node${index}`)
  const all = winners(Object.fromEntries(names.map((name) => [name, 1])))
  for (const name of names)
    assert.ok(Math.abs(shareOf(name, all) - 0.05) < 0.005, `${name} ${shareOf(name, all)}`)
})

test('shares are as weights are', () => {
  const weights = { a: 1, b: 2, c: 3, d: 10 }
  const all = winners(weights)
  for (const [name, weight] of Object.entries(weights)) {
    const off = shareOf(name, all) / (weight / 16) - 1
    assert.ok(Math.abs(off) < 0.05, `${name} is off by ${off}`)
  }
})

for (const weights of [
  Object.fromEntries(Array.from({ length: 10 }, (_, index) => [`node${index}`, 1])),
  { node0: 5, node1: 1, node2: 3, node3: 7, node4: 2 },
])
  test(`when one of ${Object.keys(weights).length} goes, its own prefixes move and no others, to all that are left`, () => {
    const before = winners(weights)
    const { node3: gone, ...left } = weights as Record<string, number>
    const after = winners(left)
    const total = Object.values(weights).reduce((sum, weight) => sum + weight, 0)
    let moved = 0
    for (const [index, name] of before.entries()) {
      if (name !== after[index]) {
        moved += 1
        assert.equal(name, 'node3')
      }
    }
    const expected = gone! / total
    assert.ok(Math.abs(moved / PREFIXES / expected - 1) < 0.06, `${moved} of ${PREFIXES} moved`)
    const heirs = after.filter((_, index) => before[index] === 'node3')
    for (const [name, weight] of Object.entries(left)) {
      const off = shareOf(name, heirs) / (weight / (total - gone!)) - 1
      assert.ok(Math.abs(off) < 0.2, `${name} is off by ${off}`)
    }
  })
