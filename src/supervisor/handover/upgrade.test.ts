import assert from 'node:assert/strict'
import { test } from 'node:test'
import { endsItsContainer } from './upgrade.ts'

for (const [pid, ppid, first, ends] of [
  [1, 0, 'node', true],
  [2, 1, 'podman-init', true],
  [7, 1, 'tini', true],
  [812, 1, 'systemd', false],
  [812, 700, 'tini', false],
] as const) {
  const result = ends ? 'ends its container' : 'may be followed by another'
  test(`process ${pid} below ${ppid}, where process 1 is ${first}, ${result}`, () => {
    assert.equal(endsItsContainer({ pid, ppid }, first), ends)
  })
}
