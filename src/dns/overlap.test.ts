import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ZoneOverlaps } from './overlap.ts'

/** `ZONE:PORT[@ADDRESS]`, with `~` in front where it has filters; what is said of it. */
const SEQUENCES: readonly (readonly (readonly [zone: string, wrong?: string])[])[] = [
  [['.:53'], ['.:53', 'cannot serve dns://.:53 - it is already defined']],
  [
    ['.:53'],
    ['.:54'],
    [
      '.:53@127.0.0.1',
      'cannot serve dns://.:53 on 127.0.0.1 - zone overlap listener capacity with dns://.:53',
    ],
  ],
  [
    ['.:53@127.0.0.1'],
    ['.:54'],
    ['.:53@127.0.0.1', 'cannot serve dns://.:53 on 127.0.0.1 - it is already defined'],
  ],
  [
    ['.:53@127.0.0.1'],
    ['.:53@128.0.0.1'],
    ['.:53@129.0.0.1'],
    ['.:53', 'cannot serve dns://.:53 - zone overlap listener capacity with dns://.:53 on 129.0.0.1'],
  ],
  [
    ['.:53@127.0.0.1'],
    ['com.:53@127.0.0.1'],
    [
      'com.:53',
      'cannot serve dns://com.:53 - zone overlap listener capacity with dns://com.:53 on 127.0.0.1',
    ],
  ],
  // Whoever has filters may stand in front of the one that has none, but not behind it.
  [['~.:53'], ['~.:53'], ['.:53'], ['~.:53', 'cannot serve dns://.:53 - it is already defined']],
]

test('zones that the same query would mean are refused, as CoreDNS refuses them', () => {
  for (const sequence of SEQUENCES) {
    const overlaps = new ZoneOverlaps()
    for (const [text, wrong] of sequence) {
      const [, filter, zone, port, address = ''] = /^(~?)(\S+?):(\d+)(?:@(.+))?$/.exec(text)!
      const served = { transport: 'dns', zone: zone!, port: Number(port), address } as const
      assert.equal(overlaps.add(served, filter === '~'), wrong, text)
    }
  }
})
