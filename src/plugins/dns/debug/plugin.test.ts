/** What `debug` takes in a Corefile, and what it refuses. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { blockOf } from '../testing/block.ts'
import { itRefuses } from '../testing/setup-table.ts'
import debug from './plugin.ts'

test('it sets its server block to debug', async (t) => {
  const { setup } = await blockOf(t, 'debug', { plugins: [debug] })
  assert.equal(setup.settings.isDebug, true)
})

itRefuses(debug, [
  ['debug off', /'off' is one too many/],
  ['debug\ndebug', /only be used once/],
])
