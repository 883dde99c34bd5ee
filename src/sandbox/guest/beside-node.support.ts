/**
 * Runs a piece of code in a guest and in Node, whose globals follow the same standards: what it returns, as JSON, is to be the same.
 *
 * The code is the body of an async function.
 */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { invokeEntry, openGuest } from './guest.support.ts'

const AsyncFunction = (async () => {}).constructor as new (code: string) => () => Promise<unknown>

export async function inGuest(t: TestContext, code: string): Promise<unknown> {
  const guest = await openGuest(
    `exports.default = { async content() { return Response.json((await (async () => { ${code} })()) ?? null) } }`,
  )
  t.after(() => guest.dispose())
  assert.ok(guest.installed.ok, JSON.stringify(guest.installed))
  const record = guest.settle(invokeEntry(1, ['content'])).findLast(({ kind }) => kind === 'invocation')
  assert.ok(record?.kind === 'invocation')
  assert.equal(record.outcome, 1, `${record.head}\n${code}`)
  return JSON.parse(record.body)
}

export async function sameAsNode(t: TestContext, code: string): Promise<void> {
  const ofNode: unknown = await new AsyncFunction(code)()
  assert.deepEqual(await inGuest(t, code), JSON.parse(JSON.stringify(ofNode ?? null)), code)
}
