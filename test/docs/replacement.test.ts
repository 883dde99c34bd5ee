/** Charts and tables of the page on replacement are what the simulator says today. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { replacementFiles } from '../../scripts/replacement.ts'
import { textOf } from '../shape/tree.ts'

test('charts and tables on replacement are what `node scripts/replacement.ts` makes of the traces', async () => {
  for (const [path, text] of Object.entries(await replacementFiles())) {
    assert.ok(textOf(path) === text, `${path} is stale: run \`node scripts/replacement.ts\``)
    assert.ok(text.length < 100_000, `${path} is ${text.length} characters`)
  }
})
