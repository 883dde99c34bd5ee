/** The pages that are made from the program's own tables say what the program does today. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { referencePages } from '../../scripts/docs.ts'
import { filesBelow, textOf } from '../shape/tree.ts'

test('the reference pages are what `npm run docs` makes of the sources', async () => {
  const pages = await referencePages()
  for (const [path, text] of Object.entries(pages)) {
    assert.ok(textOf(path) === text, `${path} is stale: run \`npm run docs\``)
  }
  assert.deepEqual(filesBelow('docs/reference').toSorted(), Object.keys(pages).toSorted())
})
