import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { EdgeStatus } from '../../../control/edge-shapes.ts'
import type { StoreStatus } from '../../../control/store-shapes.ts'
import { edgesText } from '../edges.ts'
import { statusText } from './status.ts'

const position = { log: 'abc', id: 120, hash: 'f'.repeat(64) }
const plain: StoreStatus = {
  kind: 'embedded',
  path: '/d/orla.db',
  fileBytes: 1_550_000,
  position,
  base: { ...position, id: 20 },
  entries: 100,
  keys: 7,
  keep: { entries: 50, entriesForEdges: 500 },
  edges: [],
}

const EMBEDDED = `
store       embedded
log         abc
position    120 (ffffffffffff…)
entries     100, from 21 on; 50 are kept, up to 500 for edges that lag
state       7 keys
file        /d/orla.db, 1.6 MB`.trim()

for (const [what, more, expected] of [
  ['an embedded store', {}, EMBEDDED],
  [
    'a replica',
    { kind: 'replica', keeper: 'control', control: { url: 'http://c', isConnected: false } },
    EMBEDDED.replace('embedded', 'replica\nfollows     http://c (not connected)') + '\nreplica of  control',
  ],
  ['a log of which nothing is kept', { entries: 0 }, EMBEDDED.replace('100, from 21 on', 'none')],
  [
    'a store on an engine that lost a member, with edges',
    {
      kind: 'etcd',
      engine: {
        address: 'http://e:1',
        version: '3.4.23',
        isHealthy: true,
        problem: '1 of 2 members does not answer',
        term: 4,
        position: { ...position, id: 123 },
        members: [
          { name: 'm0', address: 'e:1', role: 'leader', isHealthy: true, note: '0.1 MB' },
          { name: 'm1', address: 'e:2', role: 'follower', isHealthy: false, lag: 9 },
        ],
      },
      edges: [{ name: 'a', presence: 'away', position: { ...position, id: 110 }, lag: 10 }],
    },
    `${EMBEDDED.replace('embedded', 'etcd at http://e:1')}
engine      takes writes
warning     1 of 2 members does not answer
version     3.4.23
term        4
its end     123, and this node is 3 behind

MEMBER  ADDRESS  ROLE      HEALTH    LAG  NOTE
m0      e:1      leader    well      -    0.1 MB
m1      e:2      follower  not well  9

EDGE  PRESENCE  POSITION  LAG
a     away      110       10`,
  ],
  [
    'a store on an engine that does not answer',
    {
      kind: 'redis',
      engine: { address: 'redis://r:1', isHealthy: false, problem: 'no answer', members: [] },
    },
    `${EMBEDDED.replace('embedded', 'redis at redis://r:1')}
engine      takes no writes: no answer
its end     it does not answer`,
  ],
] as const) {
  test(`${what} is told`, () => {
    assert.equal(statusText({ ...plain, ...more } as StoreStatus), expected)
  })
}

test('edges are told in a table, and what they do not run below it', () => {
  const edge: EdgeStatus = {
    name: 'gru1',
    role: 'edge',
    presence: 'connected',
    groups: ['sa-east', 'video'],
    version: '0.1.0',
    epoch: 118,
    enabled: false,
    position: { ...position, id: 118 },
    lag: 2,
    lastSeen: Date.UTC(2026, 10, 27),
    addresses: [],
    live: { workers: 1, of: 2 },
    rejected: { id: 120, problems: ['one does not run: no', 'two neither'] },
    liveMs: { count: 3, p50: 12.5, p99: 80 },
    workers: [],
  }
  const { rejected: _none, liveMs: _never, ...quiet } = edge
  const control: EdgeStatus = { ...quiet, name: 'c', role: 'control', groups: [], enabled: true }
  assert.equal(
    edgesText([control, edge]),
    `
NAME  ROLE     PRESENCE   POSITION  LAG  EPOCH          WORKERS  LIVE P50  P99    SEEN                  GROUPS         VERSION
c     control  connected  118       2    118            1/2      -         -      2026-11-27T00:00:00Z  -              0.1.0
gru1  edge     connected  118       2    118 (all off)  1/2      12.5 ms   80 ms  2026-11-27T00:00:00Z  sa-east,video  0.1.0
gru1 does not run position 120:
  one does not run: no
  two neither`.trim(),
  )
})
