import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { eventually, startTestNode } from '../testing/test-node.ts'

const messages = (body: Record<string, unknown>) =>
  (body['problems'] as { message: string }[]).map(({ message }) => message)

test('a unit that does not build is refused with file and line, and changes nothing', async (t) => {
  const node = await startTestNode(t)
  await node.deploy('greeter')
  const { status, body } = await node.deploy('greeter', 'type-error', { entry: 'src/greeter.ts' })
  assert.equal(status, 422)
  assert.deepEqual(body['problems'], [{ message: 'type-error', file: 'src/greeter.ts', line: 1, column: 7 }])
  assert.deepEqual((await node.edge()).units, ['greeter@1'])
})

test('fields that no unit has are refused, in the module as in the deploy', async (t) => {
  const node = await startTestNode(t)
  const inModule = await node.deploy('greeter', '// unknown-field')
  assert.equal(inModule.status, 422)
  assert.deepEqual(messages(inModule.body), ['unknown field `path`: did you mean `paths`?'])
  const inDeploy = await node.deploy('greeter', 'x', { manifest: { priority: 'high' } })
  assert.equal(inDeploy.status, 422)
  assert.match(messages(inDeploy.body)[0]!, /given at the deploy: `priority`: expected a number/)
  assert.deepEqual((await node.call('GET', '/v1/units')).body, [])
})

for (const mark of ['refuse-try', 'refuse-prepare']) {
  test(`a version that a worker refuses (${mark}) never replaces one that works, also after a restart`, async (t) => {
    const node = await startTestNode(t)
    const first = await node.deploy('greeter')
    const { status, body } = await node.deploy('greeter', `// ${mark}`)
    assert.equal(status, 422, JSON.stringify(body))
    assert.deepEqual(messages(body), ['it was told to refuse'])
    for (const worker of await node.everyWorker()) {
      assert.deepEqual(worker.units, ['greeter@1'])
      assert.equal(worker.epoch, first.body['epoch'])
    }
    await node.supervisor.stop()
    const again = await startTestNode(t, {}, { directory: node.directory })
    assert.deepEqual((await again.edge()).units, ['greeter@1'])
    const next = await again.deploy('greeter')
    // A number that was in the log is not given again.
    assert.equal(next.body['version'], mark === 'refuse-prepare' ? 3 : 2)
  })
}

test('the first version of a unit that workers refuse leaves no unit behind', async (t) => {
  const node = await startTestNode(t)
  assert.equal((await node.deploy('greeter', '// refuse-prepare')).status, 422)
  assert.equal((await node.call('GET', '/v1/units/greeter')).status, 404)
  assert.deepEqual((await node.call('GET', '/v1/units')).body, [])
})

test('a unit that ends the workers that try it is refused, and does not end all of them', async (t) => {
  const node = await startTestNode(t, { edge: { workers: 3 } })
  const { status, body } = await node.deploy('greeter', '// die-try')
  assert.equal(status, 422)
  assert.deepEqual(messages(body), ['it could not be tried: worker 1 ended (exit code 9)'])
  assert.equal((await node.deploy('other')).status, 200)
})

test('a worker that dies while it prepares counts as not there, and its replacement runs the new set', async (t) => {
  const node = await startTestNode(t)
  const { status, body } = await node.deploy('greeter', '// die-prepare')
  assert.equal(status, 200, JSON.stringify(body))
  assert.deepEqual(body['live'], { workers: 2, of: 2 })
  for (const worker of await node.everyWorker()) assert.deepEqual(worker.units, ['greeter@1'])
})

test('a worker that does not answer in time is named, nothing is flipped, and the change goes on', async (t) => {
  const node = await startTestNode(t)
  const late = await node.deploy('greeter', '// hang-prepare', { timeoutMs: 5_000 })
  assert.equal(late.status, 504, JSON.stringify(late.body))
  assert.equal(late.body['code'], 'not-finished')
  const [laggard, ...others] = late.body['laggards'] as { who: string; reason: string }[]
  assert.equal(others.length, 0)
  assert.equal(laggard!.who, 'worker 0')
  assert.match(laggard!.reason, /pid \d+ has not prepared the new set yet/)

  const [first, second] = await node.everyWorker()
  assert.deepEqual([first!.units, second!.units], [[], []], 'all or none')
  process.kill(first!.pid, 'SIGUSR2')
  await eventually(
    () => node.edge(),
    ({ units }) => units.length === 1,
  )
  for (const worker of await node.everyWorker()) assert.deepEqual(worker.units, ['greeter@1'])
})

test('a worker that does not answer while it tries a unit is named', async (t) => {
  const node = await startTestNode(t)
  const { status, body } = await node.deploy('greeter', '// hang-try', { timeoutMs: 5_000 })
  assert.equal(status, 504, JSON.stringify(body))
  const [first] = await node.everyWorker()
  assert.deepEqual(body['laggards'], [
    { who: 'worker 0', reason: `pid ${first!.pid} has not said yet whether it runs in a sandbox` },
  ])
})

test('with wait "stored" the answer comes before workers have prepared it', async (t) => {
  const node = await startTestNode(t)
  const { status, body } = await node.deploy('greeter', '// hang-prepare', { wait: 'stored' })
  assert.equal(status, 200)
  assert.equal((body['live'] as { workers: number }).workers, 0)
  const { body: unit } = await node.call('GET', '/v1/units/greeter')
  assert.equal(unit['version'], 1)
  assert.deepEqual((await node.edge()).units, [])
})

test('deploys of one name at once are done one after the other, each as a version of its own', async (t) => {
  const node = await startTestNode(t)
  const answers = await Promise.all(Array.from({ length: 12 }, (_, i) => node.deploy('greeter', `// ${i}`)))
  assert.deepEqual(
    answers.map(({ body }) => body['version']).toSorted((a, b) => Number(a) - Number(b)),
    Array.from({ length: 12 }, (_, i) => i + 1),
  )
  for (const worker of await node.everyWorker()) assert.deepEqual(worker.units, ['greeter@12'])
})

test('rollback goes to the version before, or to the one named', async (t) => {
  const node = await startTestNode(t)
  for (const source of ['// 1', '// 2', '// 3']) await node.deploy('greeter', source)
  assert.equal((await node.call('POST', '/v1/units/greeter/rollback')).body['version'], 2)
  assert.deepEqual((await node.edge()).units, ['greeter@2'])
  assert.equal((await node.call('POST', '/v1/units/greeter/rollback', { version: 3 })).body['version'], 3)
  assert.deepEqual((await node.edge()).units, ['greeter@3'])
  const unknown = await node.call('POST', '/v1/units/greeter/rollback', { version: 9 })
  assert.equal(unknown.status, 409)
  assert.match(String(unknown.body['detail']), /greeter@9 is not kept/)
})

test('units are switched off one by one or all at once, and on again', async (t) => {
  const node = await startTestNode(t)
  for (const name of ['a', 'b']) await node.deploy(name)
  const units = async () => (await node.edge()).units

  await node.call('POST', '/v1/units/a/disable')
  assert.deepEqual(await units(), ['b@1'])
  assert.equal((await node.call('GET', '/v1/units/a')).body['state'], 'disabled')
  await node.call('POST', '/v1/disable')
  assert.deepEqual(await units(), [])
  // A deploy is taken, and says why nothing changes.
  assert.match(
    JSON.stringify((await node.deploy('b', '// 2')).body['warnings']),
    /all units are switched off/,
  )
  assert.deepEqual(await units(), [])
  const again = await node.call('POST', '/v1/disable')
  assert.equal(again.status, 200, 'asked twice, done once')
  await node.call('POST', '/v1/enable')
  assert.deepEqual(await units(), ['b@2'])
  await node.call('POST', '/v1/units/a/enable')
  assert.deepEqual(await units(), ['a@1', 'b@2'])
})

test('a removed unit is gone, and one that does not exist is said so', async (t) => {
  const node = await startTestNode(t)
  await node.deploy('greeter')
  assert.equal((await node.call('DELETE', '/v1/units/greeter')).status, 200)
  assert.deepEqual((await node.edge()).units, [])
  for (const [method, path] of [
    ['GET', ''],
    ['DELETE', ''],
    ['POST', '/rollback'],
    ['POST', '/disable'],
    ['PUT', '/env'],
    ['GET', '/versions'],
  ] as const) {
    const { status, body } = await node.call(method, `/v1/units/greeter${path}`)
    assert.equal(status, 404, `${method} ${path}`)
    assert.equal(body['code'], 'unit-unknown')
  }
})

test('environment and secrets reach the workers; secrets are neither shown nor stored as text', async (t) => {
  const node = await startTestNode(t)
  await node.deploy('greeter', 'x', { env: { PLAIN: 'seen' }, secrets: { TOKEN: 'hidden-value' } })
  assert.deepEqual((await node.edge()).env['greeter'], { PLAIN: 'seen', TOKEN: 'hidden-value' })

  const set = await node.call('PUT', '/v1/units/greeter/env', { env: { PLAIN: null, MORE: 'x' } })
  assert.equal(set.body['version'], 2)
  assert.deepEqual((await node.edge()).env['greeter'], { TOKEN: 'hidden-value', MORE: 'x' })

  const { body } = await node.call('GET', '/v1/units/greeter')
  assert.deepEqual([body['env'], body['secrets'], body['envValues']], [['MORE'], ['TOKEN'], { MORE: 'x' }])
  for (const path of ['/v1/units/greeter', '/v1/units', '/v1/log', '/v1/snapshot']) {
    assert.doesNotMatch(JSON.stringify(await node.call('GET', path)), /hidden-value/, path)
  }
})

test('a version in quarantine stays so over restarts, is known to all workers, and a new version is free', async (t) => {
  const node = await startTestNode(t)
  await node.deploy('greeter', 'x', { manifest: { onError: 'lastGood' } })
  await node.edge('/quarantine/greeter/1')
  const isKnown = ({ quarantined }: { readonly quarantined: readonly string[] }) =>
    quarantined.includes('greeter@1')
  await eventually(
    () => node.everyWorker(),
    (workers) => workers.every(isKnown),
  )
  const { body } = await node.call('GET', '/v1/units/greeter')
  assert.equal(body['state'], 'quarantined')
  assert.equal((body['quarantine'] as { reason: string }).reason, 'crash')
  await node.supervisor.stop()

  const again = await startTestNode(t, {}, { directory: node.directory })
  assert.ok(isKnown(await again.edge()))
  await again.deploy('greeter', 'y', { manifest: { onError: 'lastGood' } })
  assert.equal((await again.call('GET', '/v1/units/greeter')).body['state'], 'live')
  // What is bad is not fallen back to.
  assert.deepEqual((await again.edge()).lastGood, [])

  const back = await again.call('POST', '/v1/units/greeter/rollback', { version: 1 })
  assert.equal(back.status, 200)
  await eventually(
    () => again.everyWorker(),
    (workers) => !workers.some(isKnown),
  )
})

test('without its store a node goes on serving, says what is wrong, and changes nothing', async (t) => {
  const node = await startTestNode(t)
  await node.deploy('greeter')
  rmSync(join(node.directory, 'orla.db'))
  const { status, body } = await node.deploy('greeter')
  assert.equal(status, 500)
  assert.equal(body['code'], 'store-missing')
  for (const worker of await node.everyWorker()) assert.deepEqual(worker.units, ['greeter@1'])
  const ready = await node.call('GET', '/readyz')
  assert.equal(ready.status, 503)
  assert.match(JSON.stringify(ready.body['problems']), /the store cannot be written/)
})
