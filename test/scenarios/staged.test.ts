/** A new version that goes to clients step by step, moved by hand, on a whole node. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventually } from '../harness/eventually.ts'
import { askAll, TRUSTING_EDGE, withText } from '../harness/many-clients.ts'
import { startNode } from '../harness/node.ts'
import { BY_HAND, chosen, CLIENTS, move, page, rolloutOf } from '../harness/rollouts.ts'

test('a rollout, step by step', async (t) => {
  const node = await startNode(t, { config: { edge: { workers: 2, ...TRUSTING_EDGE } } })

  await t.test(
    'a share of the clients has the new version, always the same ones, and a larger share only adds clients',
    async () => {
      await node.deploy('share', page('share', 'old'))
      await node.deploy('share', page('share', 'new'), { stages: ['20%,60%'], ...BY_HAND })
      const first = await chosen(node, 'share')
      assert.ok(first.size > 8 && first.size < 45, `${first.size} of ${CLIENTS.length}`)
      assert.deepEqual(await chosen(node, 'share'), first)

      await move(node, 'share', 'advance')
      const second = await chosen(node, 'share')
      assert.ok(first.isSubsetOf(second) && second.size > first.size, `${second.size} after ${first.size}`)
      assert.equal((await rolloutOf(node, 'share')).step, 1)

      await move(node, 'share', 'abort')
      assert.equal((await chosen(node, 'share')).size, 0)
      const { state, reason } = await rolloutOf(node, 'share')
      assert.deepEqual([state, reason], ['rolled-back', 'aborted by hand'])

      // The next rollout begins with others.
      await node.deploy('share', page('share', 'new'), { stages: ['20%'], ...BY_HAND })
      assert.notDeepEqual(await chosen(node, 'share'), first)
      // A worker that is replaced gives every client what it had.
      const before = await chosen(node, 'share')
      const [worker] = node.processes().workers
      process.kill(worker!, 'SIGKILL')
      await eventually(() => {
        const { workers } = node.processes()
        return workers.length === 2 && !workers.includes(worker!)
      })
      assert.deepEqual(await chosen(node, 'share'), before)

      // After the last stage it is live, and a rollback goes to the version before it.
      await move(node, 'share', 'advance')
      assert.equal((await chosen(node, 'share')).size, CLIENTS.length)
      assert.equal((await rolloutOf(node, 'share')).state, 'done')
      assert.equal((await node.orla('rollback', 'share')).code, 0)
      assert.equal((await chosen(node, 'share')).size, 0)
    },
  )

  await t.test(
    'all phases of a request run one version, and the new one falls back to the live one',
    async () => {
      const phases = (text: string) => `const version: string = '${text}'
      export default {
        paths: ['/phases'],
        onError: 'lastGood',
        access(request, response) { response.headers.set('x-access', version) },
        content(request) {
          if (version === 'new' && request.query.has('fail')) throw new Error('no')
          return new Response(version)
        },
        headerFilter(request, response) { response.headers.set('x-filter', version) },
      }`
      await node.deploy('phases', phases('older'))
      await node.deploy('phases', phases('old'))
      await node.deploy('phases', phases('new'), { stages: ['50%'], ...BY_HAND })
      const answers = await askAll(node, CLIENTS, '/phases')
      for (const { text, headers } of answers.values())
        assert.deepEqual([headers['x-access'], headers['x-filter']], [text, text])
      const isNew = withText(answers, 'new')
      assert.ok(isNew.size > 30 && isNew.size < 90, `${isNew.size}`)
      const [client] = isNew
      const failing = await node.request('/phases?fail', { headers: { 'x-forwarded-for': client! } })
      assert.equal(failing.text, 'old')
    },
  )

  await t.test('a version that matches other requests is met there by its clients alone', async () => {
    const paths = (list: string, text: string) =>
      `export default { paths: ${list}, content: () => new Response('${text}') }`
    await node.deploy('moved', paths("['/moved/a', '/moved/b']", 'old'))
    await node.deploy('moved', paths("['/moved/b', '/moved/c']", 'new'), { stages: ['50%'], ...BY_HAND })
    const [a, b, c] = await Promise.all(
      ['a', 'b', 'c'].map((path) => askAll(node, CLIENTS, `/moved/${path}`)),
    )
    const isNew = withText(b!, 'new')
    for (const address of CLIENTS) {
      const seen = [a!, b!, c!].map((answers) => {
        const { status, text } = answers.get(address)!
        return status === 200 ? text : status
      })
      assert.deepEqual(seen, isNew.has(address) ? [404, 'new', 'new'] : ['old', 'old', 404])
    }
  })

  await t.test(
    'pause holds a step, resume goes on; disable, enable and remove do what they say',
    async () => {
      await node.deploy('held', page('held', 'old'))
      await node.deploy('held', page('held', 'new'), { stages: ['30%,60%'], ...BY_HAND })
      await move(node, 'held', 'pause')
      const held = await chosen(node, 'held')
      assert.equal((await rolloutOf(node, 'held')).state, 'paused')
      assert.equal((await node.orla('disable', 'held')).code, 0)
      assert.equal((await node.request('/held')).status, 404)
      assert.equal((await node.orla('enable', 'held')).code, 0)
      assert.deepEqual(await chosen(node, 'held'), held)
      await move(node, 'held', 'resume')
      const { state, step } = await rolloutOf(node, 'held')
      assert.deepEqual([state, step], ['running', 0])
      assert.equal((await node.orla('remove', 'held')).code, 0)
      assert.equal((await node.api('GET', '/v1/rollouts/held')).status, 404)
    },
  )

  await t.test('one rollout of a unit at a time: another deploy is refused, or replaces it', async () => {
    const refused = async (name: string, body: object, status: number, says: RegExp) => {
      const answer = await node.api('PUT', `/v1/units/${name}`, { source: page(name, 'newer'), ...body })
      assert.equal(answer.status, status, answer.text)
      assert.match(answer.text, says)
    }
    await refused('unknown', { stages: ['5%'] }, 409, /no live version/)
    await node.deploy('alone', page('alone', 'old'))
    await node.deploy('alone', page('alone', 'new'), { stages: ['30%'], ...BY_HAND })
    const says = /alone@2 is being rolled out.*orla rollouts abort alone.*--replace/s
    for (const body of [{}, { stages: ['5%'] }, { shadow: {} }]) await refused('alone', body, 409, says)
    const env = await node.api('PUT', '/v1/units/alone/env', { env: { A: 'b' } })
    assert.equal(env.status, 409, env.text)
    assert.match((await node.orla('rollback', 'alone', '--to', '2')).stderr, /alone@2 is being rolled out/)

    // Without a version a rollback is of what came last: the rollout.
    assert.equal((await node.orla('rollback', 'alone')).code, 0)
    assert.equal((await rolloutOf(node, 'alone')).reason, 'rolled back by hand')
    await node.deploy('alone', page('alone', 'new'), { stages: ['30%'], ...BY_HAND })
    await node.deploy('alone', page('alone', 'newer'), { replace: true })
    assert.equal(withText(await askAll(node, CLIENTS, '/alone'), 'newer').size, CLIENTS.length)
    for (const [body, what] of [
      [{ stages: ['5'] }, /no share/],
      [{ stages: ['50%,5%'] }, /adds nobody/],
      [{ gate: { latency: 0.5 }, stages: ['5%'] }, /gate/],
      [{ stepForMs: 5 }, /go with `stages`/],
      [{ shadow: {}, stages: ['5%'] }, /shadow/],
    ] as const)
      await refused('alone', body, 400, what)
  })
})

test('edges outside of the group run the old version until a stage names them', async (t) => {
  const sharesOn = async (groups: string[]) => {
    const node = await startNode(t, { config: { node: { name: 'a', groups }, edge: TRUSTING_EDGE } })
    await node.deploy('page', page('page', 'old'))
    await node.deploy('page', page('page', 'new'), { stages: ['canary:50%,100%', '10%'], ...BY_HAND })
    const shares: number[] = []
    for (let step = 0; step < 4; step += 1) {
      shares.push((await chosen(node, 'page')).size / CLIENTS.length)
      if (step < 3) await move(node, 'page', 'advance')
    }
    await node.stop()
    return shares
  }
  const [inside, outside] = await Promise.all([sharesOn(['canary', 'eu']), sharesOn(['eu'])])
  assert.ok(inside[0]! > 0.3 && inside[0]! < 0.7, `${inside}`)
  assert.deepEqual(inside.slice(1), [1, 1, 1])
  assert.ok(outside[2]! > 0.02 && outside[2]! < 0.25, `${outside}`)
  assert.deepEqual([outside[0], outside[1], outside[3]], [0, 0, 1])
})
