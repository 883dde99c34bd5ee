/** Calls of units, from the isolate to whoever does them and back, with a host in the test's hand. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { CallTrace, HostAnswer, HostCall, HostCalls } from '../contract/host-calls.ts'
import type { TripOutcome } from '../contract/unit-runner.ts'
import { eventually } from '../../test/harness/eventually.ts'
import { go, startRunner, step, unit, type TestUnit } from './testing/runner.ts'

interface Held {
  readonly call: HostCall
  readonly answer: (answer: HostAnswer) => void
  isGivenUp: boolean
}

const ok = (body = '', head = '1'): HostAnswer => ({ ok: true, head, body, result: 'ok', target: 't' })

async function stand(t: TestContext) {
  const held: Held[] = []
  const calls: HostCalls = {
    start(call, answer) {
      const one: Held = { call, answer, isGivenUp: false }
      held.push(one)
      return () => (one.isGivenUp = true)
    },
  }
  const test = await startRunner({ calls })
  test.runner.setTail(true)
  t.after(() => test.close())
  return { ...test, held }
}

/** More than anything here takes: a step that is cut off where the machine stood still would be run again, and call again. */
const LIMITS = { wallMs: 20_000, cpuMs: 20_000 }
const contentOf = (code: string, options: TestUnit = {}) =>
  step(unit(`async content(request, edge) { ${code} }`, { limits: LIMITS, ...options }), 'content')
const bodyOf = (outcome: TripOutcome) => (outcome.kind === 'response' ? String(outcome.body) : outcome)

for (const isolation of ['process', 'inline'] as const) {
  test(`a call is answered whenever its answer comes, ${isolation}`, async (t) => {
    const { runner, held } = await stand(t)
    const get = contentOf(`return new Response(await edge.kv.get(request.query.get('key')))`, {
      manifest: { isolation },
    })
    const ask = (key: string) => go(runner, [get], { head: `GET /?key=${key} HTTP/1.1\r\n` })
    const answers = ['a', 'b', 'c'].map(ask)
    await eventually(() => held.length === 3)
    assert.deepEqual(held.map(({ call }) => call.head).toSorted(), [
      '{"key":"a"}',
      '{"key":"b"}',
      '{"key":"c"}',
    ])
    for (const { call, answer } of held.toReversed()) answer(ok(`value of ${call.head[8]}`))
    assert.deepEqual((await Promise.all(answers)).map(bodyOf), ['value of a', 'value of b', 'value of c'])
  })
}

test('a refusal is an error with a code, and its stack names the unit', async (t) => {
  const { runner, held } = await stand(t)
  const trip = go(runner, [
    contentOf(`try { await edge.kv.put('k', 1) } catch (error) {
      return new Response([error instanceof Error, error.code, error.message, /unit\\d+@/.test(error.stack)].join())
    }`),
  ])
  await eventually(() => held.length === 1)
  const head = '{"name":"Error","message":"full","code":"kv-quota"}'
  held[0]!.answer({ ok: false, head, body: '', result: 'kv-quota', target: 'k' })
  assert.equal(bodyOf(await trip), 'true,kv-quota,full,true')
})

test('what one request began and others wait for is not lost with it: the next begins it anew', async (t) => {
  const { runner, held } = await stand(t)
  const shared = step(
    unit(
      `async content(request, edge) {
        if (request.path === '/at-once') return new Response()
        globalThis.keys ??= edge.kv.get('keys').catch((error) => {
          globalThis.keys = undefined
          throw error
        })
        return new Response(await keys)
      }`,
      { limits: { ...LIMITS, wallMs: 1000 } },
    ),
    'content',
  )
  const first = await go(runner, [shared])
  assert.equal(first.kind === 'failed' && first.reason, 'wall')
  await go(runner, [shared], { head: 'GET /at-once HTTP/1.1\r\n' })
  const second = go(runner, [shared])
  await eventually(() => held.length === 2)
  held[1]!.answer(ok('k1'))
  assert.equal(bodyOf(await second), 'k1')
})

test('a handler that tries again whatever it is told comes to rest once its time is up', async (t) => {
  const { runner } = await stand(t)
  const relentless = unit(
    `async content(request, edge) {
      if (request.path === '/tries') return new Response(String(globalThis.tries))
      globalThis.tries = 0
      for (;;) {
        try {
          return new Response(await edge.kv.get('key'))
        } catch {
          globalThis.tries += 1
        }
      }
    }`,
    { limits: { ...LIMITS, wallMs: 500 } },
  )
  const outcome = await go(runner, [step(relentless, 'content')])
  assert.equal(outcome.kind === 'failed' && outcome.reason, 'wall')
  const tries = async () =>
    Number(bodyOf(await go(runner, [step(relentless, 'content')], { head: 'GET /tries HTTP/1.1\r\n' })))
  // More than a few, since it is told at first, and no more from then on.
  await eventually(async () => (await tries()) > 50)
  await eventually(async () => {
    const before = await tries()
    return (await tries()) === before && (await tries()) === before
  })
  assert.ok((await tries()) < 1000)
})

test('when the time of a handler is up, what it waits for is given up, and a late answer is dropped', async (t) => {
  const { runner, held } = await stand(t)
  const slow = contentOf(`return new Response(await edge.kv.get('slow'))`, {
    limits: { ...LIMITS, wallMs: 1000 },
  })
  const outcome = await go(runner, [slow])
  assert.equal(outcome.kind === 'failed' && outcome.reason, 'wall')
  assert.equal(held[0]!.isGivenUp, true)
  held[0]!.answer(ok('late'))
  const again = go(runner, [slow])
  await eventually(() => held.length === 2)
  held[1]!.answer(ok('in time'))
  assert.equal(bodyOf(await again), 'in time')
})

test('work goes on after the answer while it was handed to waitUntil, and no longer', async (t) => {
  const { runner, held, lines } = await stand(t)
  const outcome = await go(runner, [
    contentOf(`
      const work = (async () => {
        for (const key of ['1', '2', '3']) await edge.kv.put(key, key)
      })()
      edge.waitUntil(work)
      // When it is over, however long that takes.
      const stray = () => edge.kv.get('stray').catch((error) => console.log(error.code))
      work.then(() => setTimeout(stray, 20))
      return new Response('answered')`),
  ])
  assert.equal(bodyOf(outcome), 'answered')
  for (const count of [1, 2, 3]) {
    await eventually(() => held.length === count)
    held[count - 1]!.answer(ok())
  }
  await eventually(() => lines.some(({ message }) => message === 'call-late'))
  assert.equal(held.length, 3)
})

test('a call that nobody is behind is refused', async (t) => {
  const { runner, held, lines } = await stand(t)
  const stray = unit(
    `async content() {
       setTimeout(() => fetch('http://example.org/').catch((error) => console.log(error.code)), 30)
       return new Response('')
     }`,
    { limits: LIMITS },
  )
  await go(runner, [step(stray, 'content')])
  await eventually(() => lines.some(({ message }) => message === 'call-late'))
  assert.equal(held.length, 0)
})

test('calls under way are bounded in number and in bytes', async (t) => {
  const { runner, held } = await stand(t)
  // Where none is refused, it waits until its time is up.
  const outcome = go(runner, [
    contentOf(`
      let refused = ''
      for (let i = 0; i < 4100; i++) edge.kv.get('k' + i).catch((error) => (refused = error.message))
      while (refused === '') await new Promise((resolve) => setTimeout(resolve, 20))
      return new Response(refused)`),
  ])
  assert.match(String(bodyOf(await outcome)), /more than 4096 calls of this unit are under way/)
  assert.equal(held.length, 4096)
  const { runner: other } = await stand(t)
  const bytes = await go(other, [
    contentOf(
      `try { await Promise.all(Array.from({ length: 40 }, () => edge.kv.put('k', 'x'.repeat(1e6)))) }
       catch (error) { return new Response(error.code) }`,
      { limits: { ...LIMITS, memoryMb: 256 } },
    ),
  ])
  assert.equal(bodyOf(bytes), 'call-limit')
})

test('after a write nothing is run twice, when a neighbour ends the isolate', async (t) => {
  const { runner, held } = await stand(t)
  // At ten milliseconds the other two would be cut off as well, wherever the machine stands still.
  const shared = unit(
    `async content(request, edge) {
       if (request.path === '/loop') for (;;);
       if (request.path === '/write') await edge.kv.put('k', 'v')
       else await edge.kv.get('k')
       return new Response(request.path)
     }`,
    { limits: { wallMs: 20_000, cpuMs: 100 } },
  )
  const at = (path: string) => go(runner, [step(shared, 'content')], { head: `GET ${path} HTTP/1.1\r\n` })
  const calls = (kind: string) => held.filter(({ call }) => call.kind === kind)
  const write = at('/write')
  const read = at('/read')
  await eventually(() => calls('kv.put').length > 0 && calls('kv.get').length > 0)
  const loop = await at('/loop')
  assert.equal(loop.kind === 'failed' && loop.reason, 'cpu')
  const written = await write
  assert.equal(written.kind === 'failed' && written.reason, 'crash')
  assert.match(written.kind === 'failed' ? written.message : '', /after a fetch or a write to kv/)
  // What had only read is asked for again: once for each time that its isolate ended, and a busy machine may have the loop run
  // several times. So every call is answered that comes from now on.
  let isRead = false
  void read.then(() => (isRead = true))
  let answered = 0
  await eventually(() => {
    while (answered < held.length) held[answered++]!.answer(ok('v'))
    return isRead
  })
  assert.equal(bodyOf(await read), '/read')
  assert.ok(calls('kv.get').length > 1)
  assert.equal(calls('kv.put').length, 1)
})

test('calls are listed for who asks', async (t) => {
  const { runner, held } = await stand(t)
  const traced: CallTrace[] = []
  const traceable = contentOf(`await edge.kv.get('a'); await edge.kv.get('b'); return new Response('')`)
  const done = new Promise<TripOutcome>((resolve) => {
    runner.run({
      steps: [traceable],
      meta: '',
      head: 'GET / HTTP/1.1\r\n',
      response: '',
      edits: '',
      body: '',
      isTraced: true,
      traced: (calls) => traced.push(...calls),
      done: resolve,
    })
  })
  for (const count of [1, 2]) {
    await eventually(() => held.length === count)
    held[count - 1]!.answer({ ...ok(), target: `key ${count}` })
  }
  await done
  assert.deepEqual(
    traced.map(({ kind, target, result }) => [kind, target, result]),
    [
      ['kv.get', 'key 1', 'ok'],
      ['kv.get', 'key 2', 'ok'],
    ],
  )
  assert.ok(traced.every(({ ms }) => ms >= 0))
})
