import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isInShare, parseShare, parseStages, shareHere, stageText } from './stages.ts'

const read = (...texts: string[]) => {
  const result = parseStages(texts)
  return 'problem' in result ? result.problem : result.stages.map(stageText)
}

test('stages are read in the order in which they stand', () => {
  for (const [texts, expected] of [
    [['canary:5%,25%,100%'], ['5% of canary', '25% of canary', '100% of canary']],
    [['5%,50%'], ['5% of all edges', '50% of all edges']],
    [
      ['canary:5%,100%', '10%,100%'],
      ['5% of canary', '100% of canary', '10% of all edges', '100% of all edges'],
    ],
    [['a,b:0.5%'], ['0.5% of a, b']],
    [
      ['a:100%', 'b:100%', '100%'],
      ['100% of a', '100% of b', '100% of all edges'],
    ],
  ] as const)
    assert.deepEqual(read(...texts), expected)
})

test('what is no stage, or adds nobody, is refused in words', () => {
  for (const [texts, says] of [
    [['5'], /"5" is no share/],
    [['0%'], /no share/],
    [['101%'], /no share/],
    [['canary:'], /"" is no share/],
    [[':5%'], /names of groups/],
    [['a:5%,b:10%'], /names of groups/],
    [['25%,5%'], /5% of all edges adds nobody/],
    [['5%,5%'], /adds nobody/],
    [['50%', 'canary:10%'], /10% of canary adds nobody/],
    [['a,b:50%', 'a:20%'], /20% of a adds nobody/],
    [[], /no stage/],
  ] as const)
    assert.match(String(read(...texts)), says)
  assert.equal(parseShare('7.5%'), 0.075)
})

test('an edge has the largest share of the stages that name it, so a later stage takes nobody out', () => {
  const result = parseStages(['canary:5%,100%', '10%,50%'])
  assert.ok('stages' in result)
  const shares = (groups: string[]) =>
    result.stages.map((_, step) => shareHere(result.stages.slice(0, step + 1), groups))
  assert.deepEqual(shares(['canary', 'eu']), [0.05, 1, 1, 1])
  assert.deepEqual(shares(['eu']), [0, 0, 0.1, 0.5])
  assert.deepEqual(shares([]), [0, 0, 0.1, 0.5])
})

test('a client stays where it is, a larger share only adds clients, and the next rollout begins with others', () => {
  const clients = Array.from({ length: 20_000 }, (_, n) => `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`)
  const chosen = (version: number, share: number) =>
    new Set(clients.filter((address) => isInShare({ name: 'page', version }, share, address)))
  let before = new Set<string>()
  for (const share of [0.01, 0.05, 0.25, 0.5, 1]) {
    const now = chosen(2, share)
    assert.ok(before.isSubsetOf(now), `${share}`)
    assert.ok(Math.abs(now.size / clients.length - share) < 0.015, `${now.size} of ${clients.length}`)
    before = now
  }
  assert.equal(chosen(2, 0).size, 0)
  // Of two rollouts with a tenth each, a hundredth of the clients is in both.
  const both = chosen(2, 0.1).intersection(chosen(3, 0.1)).size / clients.length
  assert.ok(both > 0.005 && both < 0.015, `${both}`)
})
