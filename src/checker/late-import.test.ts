/** The checker stays warm: what it could not find at one deploy is found at the next. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { readUnitTypes, TypeCheck } from './type-check.ts'

const TYPES = fileURLToPath(new URL('../unit/types', import.meta.url))

test('an import that was missing is found once it is sent', () => {
  const check = new TypeCheck(readUnitTypes(TYPES))
  const entry = `import { word } from './word.ts'\nexport default { access() { word.length } }`
  const word = `export const word = 'a'`
  const problems = (files: Readonly<Record<string, string>>) =>
    check.check(new Map(Object.entries(files)), 'gate.ts').problems.length
  assert.equal(problems({ 'gate.ts': entry, 'word.ts': word }), 0)
  assert.equal(problems({ 'gate.ts': entry }), 1)
  assert.equal(problems({ 'gate.ts': entry, 'word.ts': word }), 0)
})
