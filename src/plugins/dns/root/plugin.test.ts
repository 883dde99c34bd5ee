/** What `root` takes in a Corefile, where paths begin then, and what it refuses. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { blockOf } from '../testing/block.ts'
import { itRefuses } from '../testing/setup-table.ts'
import root from './plugin.ts'

const here = import.meta.dirname

test('a relative folder begins where the Corefile lies', async (t) => {
  const { setup } = await blockOf(t, 'root root', { plugins: [root], folder: join(here, '..') })
  assert.equal(setup.settings.root, here)
  assert.equal(setup.controllerFor('file', []).path('db.example.org'), join(here, 'db.example.org'))
})

test('an absolute folder is taken as it is', async (t) => {
  const { setup } = await blockOf(t, 'root /usr', { plugins: [root] })
  assert.equal(setup.settings.root, '/usr')
})

test('a folder that is not there is only warned of', async (t) => {
  const { setup, logged } = await blockOf(t, 'root /nowhere/at/all', { plugins: [root] })
  assert.equal(setup.settings.root, '/nowhere/at/all')
  assert.deepEqual(logged, ['warn root: Root path does not exist: /nowhere/at/all'])
})

itRefuses(root, [
  ['root', /needs a folder/],
  ['root a b', /'b' is one too many/],
  ['root /etc/passwd', /\/etc\/passwd is no folder/],
  ['root /usr\nroot /etc', /Corefile:2 - .*only be used once/],
])
