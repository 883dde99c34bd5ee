/** What a unit finds when it looks for a way out: nothing of the host, nothing of other units. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { go, startRunner, step, unit, type TestRunner } from './testing/runner.ts'
import type { UnitVersion } from '../contract/unit.ts'

let target: TestRunner
before(async () => {
  target = await startRunner()
})
after(() => target.close())

/** Each is an expression in the unit; it must not come to a value other than `undefined`. */
const WAYS_OUT: readonly string[] = [
  `globalThis.process`,
  `globalThis.require`,
  `globalThis.ivm`,
  `globalThis.gc`,
  `globalThis.WebAssembly`,
  `globalThis.install ?? globalThis.step ?? globalThis.guest`,
  `this?.constructor.constructor('return globalThis.process')()`,
  `(function () { return this })()?.process`,
  `Error.constructor('return globalThis.process')()`,
  `(Error.prepareStackTrace = (_, frames) => frames.map((frame) => frame.getThis?.() ?? frame.getFunction?.())[0], new Error().stack?.process)`,
  `arguments.callee.caller ?? undefined`,
]

async function ask(of: UnitVersion): Promise<string> {
  const outcome = await go(target.runner, [step(of, 'content')])
  assert.ok(outcome.kind === 'response', JSON.stringify(outcome))
  return String(outcome.body)
}

for (const isolation of ['process', 'inline'] as const) {
  for (const way of WAYS_OUT) {
    test(`${isolation}: ${way} leads nowhere`, async () => {
      const prober = unit(
        `content: function () { let found; try { found = ${way} } catch {} return new Response(typeof found) }`,
        { manifest: { isolation } },
      )
      assert.equal(await ask(prober), 'undefined')
    })
  }

  test(`${isolation}: import of a module is refused`, async () => {
    const prober = unit(
      `async content() { try { await import('node:fs'); return new Response('in') } catch { return new Response('refused') } }`,
      { manifest: { isolation } },
    )
    assert.equal(await ask(prober), 'refused')
  })

  test(`${isolation}: what a unit does to builtins and globals, another does not see`, async () => {
    const polluter = unit(
      `content() {
        Object.prototype.polluted = 'yes'; globalThis.shared = 'yes'; Array.prototype.map = () => 'yes'
        Response.prototype.text = () => 'yes'
        return new Response('done')
      }`,
      { manifest: { isolation }, env: { SECRET: 'mine' } },
    )
    const other = unit(
      `content(request, edge) {
        return new Response(JSON.stringify([{}.polluted, globalThis.shared, [1].map(String), edge.env.SECRET]))
      }`,
      { manifest: { isolation } },
    )
    assert.equal(await ask(polluter), 'done')
    assert.equal(await ask(other), '[null,null,["1"],null]')
    assert.equal(({} as { polluted?: string }).polluted, undefined)
  })
}

test('a unit cannot answer for another: ids that it makes up are not its own', async () => {
  // Runs before the victim's turn and knows the form of records; its output is all that it has.
  const forger = unit(`access(request, response) {
    for (let id = 1; id < 50; id++) console.log('\\n1 ' + id + ' 1 2 0 4 0 0 \\n666\\n')
    response.headers.set('x-forged', '1 1 1 2 0 4 0 0 ')
  }`)
  const victim = unit(`async access() { await new Promise((resolve) => setTimeout(resolve, 20)) }`)
  const waiting = go(target.runner, [step(victim, 'access')])
  await go(target.runner, [step(forger, 'access')])
  assert.equal((await waiting).kind, 'next')
})
