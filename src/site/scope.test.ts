import assert from 'node:assert/strict'
import { test } from 'node:test'
import { outside } from './scope.ts'

const SITES = [
  { name: 'tv', hosts: ['tv.example.org'] },
  { name: 'all', hosts: ['*.example.org'] },
  { name: 'deep', hosts: ['*.deep.example.net', 'x.deep.example.net'] },
  { name: 'rest', hosts: ['*'] },
]

for (const [mine, hosts, expected] of [
  [['tv'], ['tv.example.org'], undefined],
  [['tv'], ['TV.example.org.'], undefined],
  [['tv'], ['tv.example.org', 'a.example.org'], 'a.example.org'],
  [['tv'], [], '*'],
  [['tv'], ['*'], '*'],
  [['tv'], ['*.example.org'], '*.example.org'],
  [['tv'], ['*.tv.example.org'], '*.tv.example.org'],
  [['all'], ['a.example.org'], undefined],
  [['all'], ['a.b.example.org'], undefined],
  // That one belongs to another site, and a pattern would reach it.
  [['all'], ['tv.example.org'], 'tv.example.org'],
  [['all'], ['*.example.org'], '*.example.org'],
  [['all', 'tv'], ['*.example.org', 'tv.example.org'], undefined],
  [['all'], ['*.a.example.org'], undefined],
  [['all'], ['example.org'], 'example.org'],
  [['all'], ['*.org'], '*.org'],
  [['deep'], ['*.deep.example.net'], undefined],
  [['deep'], ['x.deep.example.net'], undefined],
  [['rest'], ['elsewhere.example.com'], undefined],
  [['rest'], ['*'], '*'],
  [['rest'], ['*.example.com'], undefined],
  [['rest'], ['*.example.net'], '*.example.net'],
  [['tv', 'all', 'deep', 'rest'], [], undefined],
  [['gone'], ['tv.example.org'], 'tv.example.org'],
  [[], [], '*'],
] as const) {
  test(`with ${mine.join('+') || 'nothing'}, of [${hosts.join(', ')}] ${expected ?? 'nothing'} is outside`, () => {
    assert.equal(outside(hosts, mine, SITES), expected)
  })
}
