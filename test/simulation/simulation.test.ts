import assert from 'node:assert/strict'
import { after, test } from 'node:test'

import { chain } from '../../src/store/chain.ts'
import { rounds } from '../harness/rounds.ts'
import { Disks } from './disks.ts'
import { simulate } from './simulate.ts'
import type { Faulty } from './world.ts'

const disks = new Disks()
after(() => disks.close())

/** More of them run at night: `node scripts/nightly.ts`. */
const SEEDS = 30

test('log, replicas and flips keep the rules over a network that loses, cuts and delays', async () => {
  for (const round of rounds(SEEDS, 5, 3_500)) {
    const { failure } = await simulate(round + 1, disks)
    assert.equal(failure, undefined)
  }
})

test('where an engine loses what it acknowledged, all come together on what there is', async () => {
  for (const round of rounds(10, 2, 1_500)) {
    const { failure } = await simulate(round + 1, disks, { losesWrites: true })
    assert.equal(failure, undefined)
  }
})

test('a seed tells the same story each time', async () => {
  const [one, other] = [await simulate(7, disks), await simulate(7, disks)]
  assert.deepEqual(one, other)
})

/** Programs that break a rule: that it is found shows that the simulation looks. */
const broken: Readonly<Record<string, Faulty>> = {
  'an engine that leaves out an entry': {
    log: (log) => ({
      ...log,
      async read(after, limit) {
        const entries = await log.read(after, limit)
        return entries === 'reset' || after.id < 20 ? entries : entries.filter(({ id }) => id % 25 !== 0)
      },
    }),
  },
  'an engine that acknowledges before it has written': {
    log: (log) => ({
      ...log,
      async append(expected, entries) {
        const outcome = await log.append(expected, entries)
        return outcome === 'conflict' && expected.id > 20 ? 'appended' : outcome
      },
    }),
  },
  'an edge that applies whatever it is told': {
    replica: (log) => ({
      ...log,
      apply(entries) {
        const here = log.position()
        log.apply(chain(here, entries, entries[0]?.at ?? 0))
      },
    }),
    // It is told one entry twice.
    source: (source, store) => ({
      ...source,
      entriesAfter: ({ id }, limit) => store.read(Math.max(0, id - 1), limit),
    }),
  },
  'a feed that forgets to say reset': {
    source: (source, store) => ({
      ...source,
      entriesAfter: ({ id }, limit) => store.read(Math.max(id, store.base().id), limit),
    }),
  },
  'a feed that tells parts of appends': {
    source: (source, store) => ({
      ...source,
      entriesAfter(position, limit) {
        const entries = source.entriesAfter(position, limit)
        return entries === 'reset' ? entries : store.read(position.id, 3)
      },
    }),
  },
  'a control plane that sends edges back before it has caught up': {
    source: (source, store) => ({
      ...source,
      entriesAfter: (position, limit) => store.entriesAfter(position, limit),
    }),
  },
}
for (const [what, faulty] of Object.entries(broken)) {
  test(`${what} is found`, async (t) => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const { failure } = await simulate(seed, disks, faulty)
      if (failure === undefined) continue
      t.diagnostic(failure.split('\n')[0]!)
      return
    }
    assert.fail(`not within ${SEEDS} seeds`)
  })
}
