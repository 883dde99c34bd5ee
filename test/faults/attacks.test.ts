/**
 * Units that attack the node, over HTTP and under a steady load of requests to others: nobody else fails, the guilty one is
 * named with its reason, and it is not run again until a new version comes.
 *
 * The same attacks against the sandbox alone, with more of them, are in `src/sandbox/attacks.test.ts`.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventually } from '../harness/eventually.ts'
import { lossyMachine as skip } from '../harness/lossy-machine.ts'
import { startNode, type TestNode } from '../harness/node.ts'
import { startOrigin } from '../harness/origin.ts'
import { RawClient } from '../harness/raw-client.ts'

/** What the unit does in `access`, and the reasons that may be given for its failure. */
const ATTACKS: Record<string, { readonly code: string; readonly reasons: readonly string[] }> = {
  loop: { code: 'for (;;) {}', reasons: ['cpu'] },
  recursion: { code: 'const f = (n: number): number => 1 + f(n + 1); f(0)', reasons: ['throw', 'cpu'] },
  regex: { code: 'return new Response(String(/^(a+)+$/.test("a".repeat(64) + "!")))', reasons: ['cpu'] },
  promises: {
    code: 'const f = (): Promise<void> => Promise.resolve().then(f); return f()',
    reasons: ['cpu', 'memory', 'crash'],
  },
  resume: { code: 'await new Promise((r) => setTimeout(r, 1)); for (;;) {}', reasons: ['cpu'] },
  never: { code: 'await new Promise(() => {})', reasons: ['wall'] },
  strings: { code: 'let s = "x"; for (;;) s += s', reasons: ['throw', 'memory', 'cpu', 'crash'] },
  arrays: {
    code: 'const x: unknown[] = []; for (;;) x.push(new Array(1000).fill(1.5))',
    reasons: ['crash', 'memory', 'cpu'],
  },
  maps: {
    code: 'const m = new Map(); for (let i = 0; ; i++) m.set(i, { i })',
    reasons: ['memory', 'cpu', 'crash', 'throw'],
  },
  typed: {
    code: 'const x: unknown[] = []; for (;;) x.push(new Uint8Array(1e6).fill(1))',
    reasons: ['throw', 'memory', 'cpu', 'crash'],
  },
  parse: {
    code: 'const t = "[" + "1,".repeat(5e5) + "1]"; const x: unknown[] = []; for (;;) x.push(JSON.parse(t))',
    reasons: ['cpu', 'memory', 'crash'],
  },
  bigint: { code: 'let b = 3n ** 100000n; for (;;) b *= b', reasons: ['cpu', 'memory', 'crash', 'throw'] },
  replace: {
    code: 'let s = "ab".repeat(1e5); for (;;) s = s.replaceAll("a", "aa")',
    reasons: ['cpu', 'memory', 'crash', 'throw'],
  },
  abort: { code: '"x".repeat(2 ** 29 - 24).split("")', reasons: ['crash', 'cpu', 'memory'] },
}

/** Asks the innocent units without pause on a few kept connections, and notes how that went. */
function steadyLoad(node: TestNode) {
  let isOver = false
  let answers = 0
  const failures: string[] = []
  const one = async (path: string, expected: string): Promise<void> => {
    const client = await RawClient.connect(node.url)
    while (!isOver) {
      client.send(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`)
      const answer = await client.readResponse()
      answers += 1
      if (!answer.startsWith('HTTP/1.1 200 ') || !answer.endsWith(expected)) failures.push(answer)
    }
    client.close()
  }
  const all = Promise.all([
    one('/innocent/a?token=token', 'origin /innocent/a?token=token'),
    one('/innocent/b?token=token', 'origin /innocent/b?token=token'),
    one('/hello', 'hello'),
    one('/hello', 'hello'),
  ])
  return {
    answers: () => answers,
    async stop() {
      isOver = true
      await all
      return { answers, failures }
    },
  }
}

/** Whether the unit is not run any more, for now or until a new version comes. */
async function isStopped(node: TestNode, name: string): Promise<boolean> {
  const { text } = await node.api('GET', '/metrics')
  const open = new RegExp(`^orla_unit_breaker_state\\{[^}]*unit="${name}"[^}]*state="open"[^}]*\\} 1$`, 'm')
  const quarantined = new RegExp(`^orla_quarantined\\{unit="${name}"[^}]*\\} 1$`, 'm')
  return open.test(text) || quarantined.test(text)
}

test('units that attack harm nobody else', { skip }, async (t) => {
  const origin = await startOrigin(t)
  const node = await startNode(t, {
    config: { sites: [{ origin: origin.url, cache: {} }] },
    units: {
      guard: `export default { paths: ['/innocent/*'], access(request, response) {
        if (request.query.get('token') !== 'token') return new Response('no', { status: 403 })
        response.headers.append('set-cookie', 'a=b') } }`,
      hello: `export default { paths: ['/hello'], content: () => new Response('hello') }`,
    },
  })

  for (const [name, { code, reasons }] of Object.entries(ATTACKS)) {
    await t.test(name, async () => {
      await node.deploy(name, `export default { paths: ['/attack'], async access() { ${code} } }`)
      const load = steadyLoad(node)
      const attack = await node.request('/attack')
      assert.equal(attack.status, 503)
      const [unit, reason] = String(attack.headers['orla-unit-error']).split(' ')
      assert.equal(unit, name)
      assert.ok(reasons.includes(reason!), `the reason was ${reason}`)
      // It fails again and again, and in the end is not run any more: an open breaker or the quarantine answers for it.
      await eventually(async () => {
        assert.equal((await node.request('/attack')).status, 503)
        return isStopped(node, name)
      })
      const { answers, failures } = await load.stop()
      assert.deepEqual(failures, [])
      assert.ok(answers > 0)
      await node.api('DELETE', `/v1/units/${name}`)
    })
  }

  await t.test('innocent units were never blamed', async () => {
    const { text } = await node.api('GET', '/metrics')
    for (const unit of ['guard', 'hello']) {
      assert.doesNotMatch(text, new RegExp(`orla_unit_errors_total\\{[^}]*unit="${unit}"[^}]*\\} [1-9]`))
    }
    const units = JSON.parse((await node.api('GET', '/v1/units')).text) as { name: string; state: string }[]
    assert.deepEqual(units.map(({ name, state }) => [name, state]).toSorted(), [
      ['guard', 'live'],
      ['hello', 'live'],
    ])
  })
})

test('a crashing unit is in quarantine until a new version comes', async (t) => {
  const node = await startNode(t)
  const attack = ATTACKS['abort']!
  await node.deploy('crash', `export default { access() { ${attack.code} } }`)
  await node.request('/')
  await eventually(async () => {
    const unit = JSON.parse((await node.api('GET', '/v1/units/crash')).text) as { state: string }
    return unit.state.startsWith('quarantined')
  })
  const refused = await node.request('/')
  assert.equal(refused.status, 503)
  await node.deploy('crash', `export default { access: () => new Response('mended') }`)
  assert.equal((await node.request('/')).text, 'mended')
})

test('kill -9 of sandboxes under load loses no request and blames nobody', { skip }, async (t) => {
  const origin = await startOrigin(t)
  const node = await startNode(t, {
    config: { sites: [{ origin: origin.url, cache: {} }] },
    units: {
      guard: `export default { paths: ['/innocent/*'], access(request, response) { response.headers.set('x', '1') } }`,
      hello: `export default { paths: ['/hello'], content: () => new Response('hello') }`,
    },
  })
  const load = steadyLoad(node)
  for (let round = 0; round < 6; round += 1) {
    const [pid] = await eventually(() => {
      const { sandboxes } = node.processes()
      return sandboxes.length >= 2 && sandboxes
    })
    const before = load.answers()
    process.kill(pid!, 'SIGKILL')
    await eventually(() => !node.processes().sandboxes.includes(pid!) && load.answers() > before + 40)
  }
  const { failures } = await load.stop()
  assert.deepEqual(failures, [])
  const units = JSON.parse((await node.api('GET', '/v1/units')).text) as { state: string }[]
  assert.deepEqual(
    units.map(({ state }) => state),
    ['live', 'live'],
  )
})
