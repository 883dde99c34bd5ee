/** What a module says of itself when it is installed, in a real isolate. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PHASE_BITS } from '../../contract/unit.ts'
import { openGuest, openUnit } from './guest.support.ts'

test('install tells handlers and fields', async (t) => {
  const guest = await openUnit(
    t,
    `{ access() {}, log() {}, hosts: ['a'], sample: { share: 0.5 }, typo: 1, onX() {} }`,
  )
  assert.deepEqual(guest.installed, {
    ok: true,
    phases: PHASE_BITS.access | PHASE_BITS.log,
    fields: { hosts: ['a'], sample: { share: 0.5 }, typo: 1, onX: null },
  })
  const named = await openGuest('exports.access = () => {}; exports.paths = ["/x"]')
  t.after(() => named.dispose())
  assert.deepEqual(named.installed, { ok: true, phases: PHASE_BITS.access, fields: { paths: ['/x'] } })
})

test('install refuses what is no unit, with the reason', async (t) => {
  const refusals: readonly (readonly [code: string, message: RegExp])[] = [
    [
      'module.exports = {}',
      /exports no handler \(rewrite, access, content, origin, originResponse, headerFilter, bodyFilter, log, timer, dns or fetch\)/,
    ],
    ['exports.default = 5', /the default export is the number 5/],
    ['exports.default = { access: 5 }', /access is the number 5; a handler is a function/],
    ['exports.default = { content() {}, fetch() {} }', /both content and fetch/],
    ['throw new RangeError("top")', /RangeError: top/],
    ['exports.default = { get access() { throw new Error("getter") } }', /Error: getter/],
  ]
  for (const [code, message] of refusals) {
    const guest = await openGuest(code)
    t.after(() => guest.dispose())
    assert.ok(!guest.installed.ok)
    assert.match(guest.installed.message, message)
  }
})
