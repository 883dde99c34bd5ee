/** A new version that runs beside the live one, and that nobody sees, on a whole node. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventually } from '../harness/eventually.ts'
import { askAll, TRUSTING_EDGE } from '../harness/many-clients.ts'
import { startNode, type TestNode } from '../harness/node.ts'
import { startOrigin } from '../harness/origin.ts'
import { BY_HAND, chosen, CLIENTS, move, page, rolloutOf } from '../harness/rollouts.ts'

const shadowOf = (node: TestNode, name: string) => rolloutOf<'shadow'>(node, name)

/** Waits until so many requests were looked at. */
const compared = (node: TestNode, name: string, count: number) =>
  eventually(async () => {
    const { results } = await shadowOf(node, name)
    const { same, different, failed, skipped } = results
    assert.ok(same + different + failed + skipped <= count, JSON.stringify(results))
    return same + different + failed + skipped === count && results
  })

test('a shadow', async (t) => {
  let release = (): void => {}
  const held = new Promise<void>((resolve) => (release = resolve))
  const origin = await startOrigin(t, async (request, response) => {
    if (request.url === '/held') await held
    response.setHeader('x-origin', 'yes')
    response.end(`origin ${request.method} ${request.url}`)
  })
  const node = await startNode(t, {
    config: {
      edge: { workers: 1, ...TRUSTING_EDGE, fetch: { sites: ['127.0.0.1'] } },
      sites: [{ origin: origin.url, cache: {} }],
    },
  })

  await t.test(
    'decides beside the live version, and what it decides otherwise is told without values',
    async () => {
      const gate = (more: string) => `export default { paths: ['/gate/*'], limits: { cpuMs: 1000 },
      access(request, response) {
        ${more}
        request.headers.set('x-user', 'ana')
        response.headers.set('x-seen', 'yes')
      },
      headerFilter(request, response) { response.headers.set('x-status', String(response.status)) } }`
      await node.deploy(
        'gate',
        gate(`if (request.path === '/gate/shut') return new Response('no', { status: 401 })`),
      )
      await node.deploy(
        'gate',
        gate(`if (request.path === '/gate/shut') return new Response('no', { status: 403 })
        if (request.path === '/gate/key') response.headers.set('x-key', 'secret')
        if (request.path === '/gate/fails') throw new Error('no')
        if (request.path === '/gate/new') return new Response('new')`),
        { shadow: {} },
      )
      const asked = ['/gate/a', '/gate/b', '/gate/shut', '/gate/key', '/gate/fails', '/gate/new?token=secret']
      for (const path of asked) {
        const answer = await node.request(path)
        assert.equal(answer.status, path === '/gate/shut' ? 401 : 200)
        assert.equal(answer.headers['x-key'], undefined)
        if (answer.status === 200)
          assert.deepEqual([answer.headers['x-seen'], answer.headers['x-status']], ['yes', '200'])
      }
      assert.deepEqual(await compared(node, 'gate', 6), { same: 2, different: 3, failed: 1, skipped: 0 })
      const { examples } = await shadowOf(node, 'gate')
      assert.deepEqual(
        examples.map(({ path, phase, live, shadow, differs }) => [path, phase, live, shadow, differs]),
        [
          ['/gate/shut', 'access', 'answered 401', 'answered 403', ['status']],
          ['/gate/key', 'access', 'passed', 'passed', ['response header x-key']],
          ['/gate/fails', 'access', 'passed', 'failed (throw)', ['decision']],
          ['/gate/new', 'access', 'passed', 'answered 200', ['decision']],
        ],
      )
      assert.ok(!JSON.stringify(examples).includes('secret'))
      const { stdout } = await node.orla('rollouts', 'gate')
      assert.match(stdout, /6 compared, 4 differ \(1 failed\)/)
      assert.match(stdout, /GET \/gate\/shut {2}access: answered 401, the shadow answered 403 \(status\)/)
      const metrics = await node.api('GET', '/metrics')
      assert.match(metrics.text, /orla_unit_shadow_total\{unit="gate",version="2",result="different"\} 3/)
      // It answered nobody: that is no run of the version.
      assert.doesNotMatch(metrics.text, /orla_unit_runs_total\{unit="gate",version="2"/)
    },
  )

  await t.test('has no effect: nothing is written, and nothing goes out', async () => {
    const worker = (word: string) => `export default { paths: ['/effects'], limits: { cpuMs: 1000 },
      async access(request, response, edge) {
        const count = await edge.kv.increment('count')
        await edge.kv.put('last', '${word}')
        await edge.cache.put('word', '${word}')
        const sent = async (method: string) =>
          fetch('${origin.url}/from-${word}', { method }).then(() => 'sent', () => 'kept')
        edge.waitUntil(edge.kv.put('later-${word}', 'x'))
        response.headers.set('x-count', String(count))
        response.headers.set('x-read', String(await edge.kv.get('last')))
        response.headers.set('x-sent', await sent('GET') + ' ' + await sent('POST'))
      } }`
    await node.deploy('effects', worker('live'))
    for (const shadow of [{}, { fetch: true }]) {
      const known = origin.requests.length
      const { version } = await node.deploy('effects', worker('shadow'), { shadow, replace: true })
      const { headers } = await node.request('/effects')
      assert.equal(headers['x-sent'], 'sent sent')
      await compared(node, 'effects', 1)
      const { examples } = await shadowOf(node, 'effects')
      // The counter would be one more by then; what it wrote it does not read.
      assert.deepEqual(examples[0]?.differs, ['response header x-count', 'response header x-sent'])
      const out = origin.requests.slice(known).filter((line) => line.includes('/from-shadow'))
      assert.deepEqual(out, shadow.fetch ? ['GET /from-shadow'] : [])
      assert.ok(version > 1)
    }
    const kv = async (key: string) => (await node.api('GET', `/v1/kv/effects/${key}`)).text
    assert.deepEqual([await kv('count'), await kv('last')], ['2', 'live'])
    const listed = await node.api('GET', '/v1/kv/effects')
    assert.ok(listed.text.includes('later-live') && !listed.text.includes('later-shadow'), listed.text)
  })

  await t.test('runs on what only it matches, and on what it leaves alone', async () => {
    const on = (paths: string) =>
      `export default { paths: ['/on/both', ${paths}], limits: { cpuMs: 1000 }, access: (request, response) => response.headers.set('x-on', '1') }`
    await node.deploy('on', on(`'/on/old'`))
    await node.deploy('on', on(`'/on/new'`), { shadow: {} })
    for (const path of ['/on/both', '/on/old', '/on/new']) await node.request(path)
    assert.deepEqual(await compared(node, 'on', 3), { same: 1, different: 2, failed: 0, skipped: 0 })
  })

  await t.test('is slow, and no client waits for it; what comes on top is left out', async () => {
    await node.deploy('slow', page('slow', 'old'))
    const source = `export default { paths: ['/slow'], limits: { cpuMs: 1000, wallMs: 60_000 },
      async content() {
        await fetch('${origin.url}/held')
        return new Response('old')
      } }`
    await node.deploy('slow', source, { shadow: { fetch: true } })
    // None of them ends before all clients have their answers.
    const answers = await askAll(node, CLIENTS, '/slow')
    for (const { text } of answers.values()) assert.equal(text, 'old')
    assert.equal((await shadowOf(node, 'slow')).results.same, 0)
    release()
    const results = await compared(node, 'slow', CLIENTS.length)
    assert.deepEqual(results, { same: 16, different: 0, failed: 0, skipped: CLIENTS.length - 16 })
  })

  await t.test('takes its own sandbox down, and is dropped; no request fails', async () => {
    await node.deploy('crash', page('crash', 'old'))
    const source = `export default { paths: ['/crash'], content: () => new Response('x'.repeat(2 ** 29 - 24).split('')[0]) }`
    const { sandboxes } = node.processes()
    await node.deploy('crash', source, { shadow: {} })
    await eventually(async () => {
      const answers = await askAll(node, CLIENTS.slice(0, 16), '/crash')
      for (const { status } of answers.values()) assert.equal(status, 200)
      return (await shadowOf(node, 'crash')).state === 'rolled-back'
    })
    assert.match((await shadowOf(node, 'crash')).reason ?? '', /quarantine on test \((?:crash|memory|cpu)\)/)
    // The one that clients' requests go through, and its spare.
    const left = node.processes().sandboxes.filter((pid) => sandboxes.includes(pid))
    assert.ok(left.length >= 2, `${left} of ${sandboxes}`)
    const promoted = await node.api('POST', '/v1/rollouts/crash/promote')
    assert.equal(promoted.status, 409, promoted.text)
  })

  await t.test('is promoted, at once or in stages, or dropped; its share is that of clients', async () => {
    await node.deploy('next', page('next', 'old'))
    await node.deploy('next', page('next', 'new'), { shadow: { share: 0.3 } })
    assert.equal((await chosen(node, 'next')).size, 0)
    const { results } = await eventually(async () => {
      const now = await shadowOf(node, 'next')
      return now.results.different > 0 && now
    })
    assert.ok(results.different + results.skipped < CLIENTS.length / 2, JSON.stringify(results))
    await move(node, 'next', 'pause')
    await move(node, 'next', 'resume')
    await move(node, 'next', 'promote', { stages: ['50%'], ...BY_HAND })
    const half = await chosen(node, 'next')
    assert.ok(half.size > 30 && half.size < 90, `${half.size}`)
    await move(node, 'next', 'advance')
    assert.equal((await chosen(node, 'next')).size, CLIENTS.length)

    await node.deploy('next', page('next', 'newer'), { shadow: {} })
    await move(node, 'next', 'abort')
    await node.deploy('next', page('next', 'newest'), { shadow: {} })
    await move(node, 'next', 'promote')
    assert.equal((await node.request('/next')).text, 'newest')
    assert.equal((await shadowOf(node, 'next')).state, 'done')
    assert.equal((await node.orla('rollback', 'next')).code, 0)
    assert.equal((await node.request('/next')).text, 'new')
  })
})
