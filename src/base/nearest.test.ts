import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nearest } from './nearest.ts'

const KNOWN = ['origin', 'hosts', 'cache', 'connectionsMax']

for (const [word, meant] of [
  ['orgin', 'origin'],
  ['roigin', 'origin'],
  ['Hosts', 'hosts'],
  ['host', 'hosts'],
  ['cahce', 'cache'],
  ['connectionMax', 'connectionsMax'],
  ['upstream', undefined],
  ['', undefined],
  ['x', undefined],
] as const) {
  test(`"${word}" is taken for ${meant ?? 'nothing known'}`, () => {
    assert.equal(nearest(word, KNOWN), meant)
  })
}

test('the closer of two candidates wins', () => {
  assert.equal(nearest('stale', ['state', 'stales']), 'state')
  assert.equal(nearest('deplou', ['deploys', 'deploy']), 'deploy')
})
