/** What `timeouts` takes in a Corefile, what that sets, and what it refuses: the table of CoreDNS, and more. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { blockOf } from '../testing/block.ts'
import { itRefuses } from '../testing/setup-table.ts'
import timeouts from './plugin.ts'

const USUAL = { readMs: 5000, writeMs: 5000, idleMs: 10_000 }
const GOOD: readonly (readonly [text: string, set: Partial<typeof USUAL>])[] = [
  ['timeouts {\nread 30s\n}', { readMs: 30_000 }],
  ['timeouts {\nread 1m\nwrite 2m\n}', { readMs: 60_000, writeMs: 120_000 }],
  ['timeouts {\nidle 1h\n}', { idleMs: 3_600_000 }],
  ['timeouts {\nread 10\nwrite 20\nidle 60\n}', { readMs: 10_000, writeMs: 20_000, idleMs: 60_000 }],
]
for (const [text, set] of GOOD)
  test(`${text.replaceAll('\n', '; ')} is taken`, async (t) => {
    const { setup } = await blockOf(t, text, { plugins: [timeouts] })
    assert.deepEqual(setup.settings.timeouts, { ...USUAL, ...set })
  })

itRefuses(timeouts, [
  ['timeouts', /block with no timeouts specified/],
  ['timeouts {\n}', /block with no timeouts specified/],
  ['timeouts 5s', /one too many/],
  ['timeouts {\nread 10s\ngiraffe 30s\n}', /Corefile:3 - .*unknown option: 'giraffe'/],
  ['timeouts {\nread 10s 20s\nwrite 30s\n}', /'20s' is one too many/],
  ['timeouts {\nread\n}', /read needs a time/],
  ['timeouts {\nwrite snake\n}', /failed to parse duration: 'snake'/],
  ['timeouts {\nidle 0s\n}', /needs to be between 1s and 24h/],
  ['timeouts {\nread 48h\n}', /needs to be between/],
])
