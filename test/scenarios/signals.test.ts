/** A node that is told to stop, in the ways a terminal and a service manager have: all its processes are signalled. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { eventually } from '../harness/eventually.ts'
import type { Answer } from '../harness/http-client.ts'
import { startNode } from '../harness/node.ts'

const SLOW = `export default {
  paths: ['/slow'],
  async content() {
    console.log('under way')
    const began = Date.now()
    await new Promise((resolve) => setTimeout(resolve, 300))
    return new Response(String(began))
  },
}`

/** Starts a node, and resolves when one of its units awaits. */
async function nodeAtWork(t: TestContext) {
  const node = await startNode(t, { units: { slow: SLOW }, ownGroup: true })
  const tail = await fetch(`${node.control}/v1/tail`, { headers: { authorization: `Bearer ${node.token}` } })
  const lines = tail.body!.pipeThrough(new TextDecoderStream()).getReader()
  const answer = node.request('/slow')
  for (let text = ''; !text.includes('under way');) text += (await lines.read()).value
  void lines.cancel()
  return { node, answer, atWork: Date.now() }
}

/** Answered by the run that was under way, not by another one after its sandbox had died. */
function assertFinished({ status, text }: Answer, atWork: number): void {
  assert.equal(status, 200)
  assert.ok(Number(text) <= atWork, `began ${Number(text) - atWork} ms after the signal`)
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`${signal} to the whole process group lets a unit finish that awaits`, async (t) => {
    const { node, answer, atWork } = await nodeAtWork(t)
    node.interrupt(signal)
    assertFinished(await answer, atWork)
    assert.deepEqual(await node.ended, { code: 0, signal: null })
    assert.doesNotMatch(node.stderr(), /warning|replaced|ended:/)
  })
}

test('SIGTERM to each process of a node, as a service manager does it, lets a unit finish that awaits', async (t) => {
  const { node, answer, atWork } = await nodeAtWork(t)
  const { supervisor, workers, sandboxes, checkers } = node.processes()
  assert.ok(workers.length === 1 && sandboxes.length === 2 && checkers.length === 1)
  for (const pid of [...sandboxes, ...checkers, ...workers, supervisor]) process.kill(pid, 'SIGTERM')
  assertFinished(await answer, atWork)
  assert.deepEqual(await node.ended, { code: 0, signal: null })
  assert.doesNotMatch(node.stderr(), /warning|replaced|ended:/)
  // None is left behind, though they are in groups of their own.
  const left = () => [...sandboxes, ...checkers].filter((pid) => isAlive(pid))
  await eventually(() => left().length === 0)
})

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
