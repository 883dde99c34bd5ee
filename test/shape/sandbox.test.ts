/** What runs beside untrusted code must not be able to do more than it needs: what is not imported cannot be misused. */
import assert from 'node:assert/strict'
import { basename } from 'node:path'
import { test } from 'node:test'
import { reachedFrom } from './imports.ts'
import { filesBelow } from './tree.ts'

/** What the sandbox process is built from: its socket, its clock, V8, and files to read its own bundle. */
const SANDBOX_MAY = [
  'node:fs',
  'node:module',
  'node:net',
  'node:os',
  'node:path',
  'node:v8',
  'node:vm',
  'isolated-vm',
]

/** Libraries that run in a unit's isolate alone, and reach nothing themselves: see `sandbox/guest/streams.ts`. */
const GUEST_MAY = ['web-streams-polyfill', 'urlpattern-polyfill/urlpattern']

test('the sandbox process reaches no module that starts processes, opens connections or calls libc', () => {
  const reached = reachedFrom(['src/sandbox/child.ts'])
  assert.deepEqual(
    [...reached].filter(([specifier]) => !SANDBOX_MAY.includes(specifier)),
    [],
  )
})

test('the guest reaches nothing but itself: there is nothing else in an isolate', () => {
  const guest = filesBelow('src/sandbox/guest').filter((path) => /^[a-z0-9-]+\.ts$/.test(basename(path)))
  assert.notEqual(guest.length, 0)
  assert.deepEqual(
    [...reachedFrom(guest)].filter(([specifier]) => !GUEST_MAY.includes(specifier)),
    [],
  )
})
