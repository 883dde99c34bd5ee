import assert from 'node:assert/strict'
import { test } from 'node:test'
import { unitNameOf } from './unit-name.ts'

for (const [file, name] of [
  ['/a/token-auth.ts', 'token-auth'],
  ['/a/Token_Auth.v2.ts', 'token-auth-v2'],
  ['/a/geo block/index.ts', 'geo-block'],
  ['/a/index.js', 'a'],
  ['/a/--x--.ts', 'x'],
  [`/a/${'x'.repeat(80)}.ts`, 'x'.repeat(63)],
  ['/a/ação.ts', 'a-o'],
] as const) {
  test(`${file} is deployed as ${name}`, () => {
    assert.equal(unitNameOf(file), name)
  })
}

test('a file whose name has no usable letter must be named by hand', () => {
  assert.throws(() => unitNameOf('/a/界.ts'), /--name/)
})
