import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { lossyMachine as skip } from '../../test/harness/lossy-machine.ts'
import { eventually } from '../../test/harness/eventually.ts'
import { go, moduleUnit, startRunner, step, unit, type TestRunner } from './testing/runner.ts'
import type { UnitVersion } from '../contract/unit.ts'

const TOKEN = `access(request, response, edge) {
  const token = request.query.get('token') ?? request.cookies.get('superstition')
  if (token !== 'token') return new Response('forbidden', { status: 403 })
  response.headers.append('set-cookie', 'superstition=token')
}`

/** Nothing here is to be cut off over its CPU, also where the machine stands still: then it would run again, or fail. */
const LIMITS = { cpuMs: 1000 }

let test0: TestRunner
before(async () => {
  test0 = await startRunner()
})
after(() => test0.close())

for (const isolation of ['process', 'inline'] as const) {
  const of = (handlers: string, options: Parameters<typeof unit>[1] = {}): UnitVersion =>
    unit(handlers, { limits: LIMITS, ...options, manifest: { isolation, ...options.manifest } })

  test(`${isolation}: a unit that returns nothing lets the request go on with its changes`, async () => {
    const outcome = await go(test0.runner, [step(of(TOKEN), 'access')])
    assert.equal(outcome.kind, 'next')
    assert.equal(outcome.edits, 'A set-cookie: superstition=token\n')
    assert.equal(outcome.runs.length, 1)
  })

  test(`${isolation}: a unit that returns a response answers with it`, async () => {
    const head = 'GET /x HTTP/1.1\r\nhost: example.org\r\n'
    const outcome = await go(test0.runner, [step(of(TOKEN), 'access')], { head })
    assert.ok(outcome.kind === 'response')
    assert.equal(outcome.status, 403)
    assert.equal(outcome.body, 'forbidden')
    assert.equal(outcome.phase, 'access')
  })

  test(`${isolation}: units that follow each other see what the ones before changed`, async () => {
    const first = of(`rewrite(request) { request.headers.set('x-a', '1') }`)
    const second = of(`rewrite(request) { request.headers.set('x-b', request.headers.get('x-a') + '2') },
      access(request, response) { response.headers.set('x-c', request.headers.get('x-b')) }`)
    const third = of(`access(request, response) { response.headers.append('x-d', '4') }`)
    const steps = [step(first, 'rewrite'), step(second, 'rewrite', 'access'), step(third, 'access')]
    const outcome = await go(test0.runner, steps)
    assert.equal(outcome.kind, 'next')
    assert.equal(outcome.edits, 'h x-a: 1\nh x-b: 12\nH x-c: 12\nA x-d: 4\n')
    assert.deepEqual(
      outcome.runs.map((run) => run.step),
      [0, 1, 2],
    )
  })

  test(`${isolation}: of a version that is off nothing runs on by itself; what is awaited finishes`, async () => {
    const manifest = { isolation }
    const ticking = moduleUnit(
      `let runs = 0
      setInterval(() => {}, 1)
      module.exports = { default: { access: () => new Response(String(++runs)) } }`,
      { manifest, limits: LIMITS },
    )
    const waiting = of(
      `async access() { for (let i = 0; i < 5; i++) await new Promise((go) => setTimeout(go, 2)) }`,
    )
    const runs = async (): Promise<unknown> => {
      const outcome = await go(test0.runner, [step(ticking, 'access')])
      return outcome.kind === 'response' ? outcome.body : outcome
    }
    test0.runner.setLive([ticking, waiting])
    assert.equal(await runs(), '1')
    assert.equal(await runs(), '2')
    const awaited = go(test0.runner, [step(waiting, 'access')])
    test0.runner.setLive([])
    assert.equal((await awaited).kind, 'next')
    // With its timer the isolate went, and what it counted.
    await eventually(async () => (await runs()) === '1', { what: 'its timer ended' })
  })

  test(`${isolation}: the same unit may come twice in a trip`, async () => {
    const first = of(`rewrite(request) { request.headers.set('x-a', '1') },
      access(request, response) { response.headers.set('x-c', request.headers.get('x-a')) }`)
    const second = of(`rewrite(request) { request.headers.set('x-a', '2') }`)
    const outcome = await go(test0.runner, [
      step(first, 'rewrite'),
      step(second, 'rewrite'),
      step(first, 'access'),
    ])
    assert.equal(outcome.edits, 'h x-a: 1\nh x-a: 2\nH x-c: 2\n')
  })

  test(`${isolation}: later units do not run when one answers`, async () => {
    const answers = of(`access() { return new Response('no', { status: 401 }) }`)
    const never = of(`access() { throw new Error('never') }`)
    const first = of(`rewrite(request, response) { response.headers.set('x-a', '1') }`)
    const outcome = await go(test0.runner, [
      step(first, 'rewrite'),
      step(answers, 'access'),
      step(never, 'access'),
    ])
    assert.ok(outcome.kind === 'response')
    assert.equal(outcome.step, 1)
    assert.equal(outcome.edits, 'H x-a: 1\n')
  })

  test(`${isolation}: an async handler is answered when it settles, and holds nobody up`, async () => {
    const slow = of(`async access(request, response) {
      await new Promise((resolve) => setTimeout(resolve, 30))
      response.headers.set('x-slow', '1')
    }`)
    const quick = of(`access() {}`)
    const order: string[] = []
    await Promise.all([
      go(test0.runner, [step(slow, 'access')]).then((outcome) => order.push(`slow ${outcome.edits}`)),
      go(test0.runner, [step(quick, 'access')]).then(() => order.push('quick')),
      go(test0.runner, [step(slow, 'access'), step(quick, 'access')]).then((outcome) =>
        order.push(outcome.kind),
      ),
    ])
    assert.deepEqual(order.toSorted(), ['next', 'quick', 'slow H x-slow: 1\n'])
    assert.equal(order[0], 'quick')
  })

  test(`${isolation}: an async handler that awaits nothing slow is answered at once`, async () => {
    const quick = of(`async content(request) { await 0; return new Response('hé €', { status: 201 }) }`)
    const outcome = await go(test0.runner, [step(quick, 'content')])
    assert.ok(outcome.kind === 'response')
    assert.equal(outcome.status, 201)
    assert.equal(outcome.body, 'hé €')
  })

  test(`${isolation}: a handler that throws fails with its stack`, async () => {
    const bad = of(`access() { null.x }`)
    const outcome = await go(test0.runner, [step(bad, 'access')])
    assert.ok(outcome.kind === 'failed')
    assert.equal(outcome.reason, 'throw')
    assert.match(outcome.message, /TypeError.*\n.*unit\d+@\d+\.js:1:/)
    const line = test0.lines.findLast((line) => line.unit === bad.name)
    assert.equal(line?.reason, 'throw')
  })

  test(`${isolation}: a rejection that nobody handles costs no answer`, async () => {
    const bad = of(
      `access(request, response) { Promise.reject(new Error('lost')); response.headers.set('x-a', '1') }`,
    )
    const outcome = await go(test0.runner, [step(bad, 'access')])
    assert.equal(outcome.edits, 'H x-a: 1\n')
  })

  test(`${isolation}: bytes of a body come in and go out as they are`, async () => {
    const echo = of(
      `async content(request) { return new Response(new Uint8Array(await request.arrayBuffer())) }`,
    )
    const body = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code)).join('')
    const head = 'POST /x HTTP/1.1\r\nhost: example.org\r\ncontent-length: 256\r\n'
    const outcome = await go(test0.runner, [step(echo, 'content')], { head, body })
    assert.ok(outcome.kind === 'response')
    assert.equal(Buffer.from(outcome.body as Uint8Array).toString('latin1'), body)
  })

  test(`${isolation}: what does not settle within its time fails, and nothing else does`, async () => {
    const never = of(`access() { return new Promise(() => {}) }`, { limits: { wallMs: 50 } })
    const outcome = await go(test0.runner, [step(never, 'access')])
    assert.ok(outcome.kind === 'failed')
    assert.equal(outcome.reason, 'wall')
  })

  test(`${isolation}: a version that is released and does not settle in time is forgotten, and ends no sandbox`, async () => {
    const { runner } = test0
    const quick = of(`access() {}`)
    assert.equal((await go(runner, [step(quick, 'access')])).kind, 'next')
    const pids = runner.sandboxPids
    const never = of(`access() { return new Promise(() => {}) }`, { limits: { ...LIMITS, wallMs: 50 } })
    const outcome = go(runner, [step(never, 'access')])
    runner.release(never)
    assert.equal((await outcome).kind, 'failed')
    // What was sent after it is answered by the same process.
    for (let n = 0; n < 3; n++) assert.equal((await go(runner, [step(quick, 'access')])).kind, 'next')
    assert.deepEqual(runner.sandboxPids, pids)
  })

  test(`${isolation}: code that does not compile or throws at its top level is told by prepare`, async () => {
    const manifest = { isolation }
    // Versions anew each time: a machine that stands still for seconds may have refused one that does nothing wrong.
    await eventually(
      async () => {
        const problems = await test0.runner.prepare([
          moduleUnit('module.exports = {', { manifest, name: 'broken' }),
          moduleUnit('null.x', { manifest, name: 'throws' }),
          of(TOKEN),
        ])
        assert.equal(problems.length, 2, problems.join('\n'))
        assert.match(problems[0]!, /^broken@\d+: SyntaxError/)
        assert.match(problems[1]!, /^throws@\d+: TypeError/)
        return true
      },
      { withinMs: 240_000 },
    )
  })

  test(`${isolation}: code that loops at its top level is told by prepare`, { skip }, async () => {
    const loops = moduleUnit('for(;;);', { manifest: { isolation }, name: 'loops' })
    const problems = await test0.runner.prepare([loops, of(TOKEN)])
    assert.equal(problems.length, 1, problems.join('\n'))
    // It is stopped by its time-out, or where that comes late with its process.
    assert.match(problems[0]!, /^loops@\d+: its top level (ran for too long|ended the sandbox \(cpu\))/)
  })
}

test('try tells what is wrong with a version that is not live, or what it says of itself', async () => {
  const { problems, module } = await test0.runner.try(unit(`paths: ['/x'], ${TOKEN}`))
  assert.deepEqual(problems, [])
  assert.deepEqual(module, { phases: 2, fields: { paths: ['/x'] } })
  const bad = await test0.runner.try(moduleUnit('null.x'))
  assert.match(bad.problems[0]!, /TypeError/)
  assert.equal(bad.module, undefined)
})

test('a released version is forgotten once its trips are done', async () => {
  const slow = unit(`async access() { await new Promise((resolve) => setTimeout(resolve, 20)) }`)
  const outcome = go(test0.runner, [step(slow, 'access')])
  test0.runner.release(slow)
  assert.equal((await outcome).kind, 'next')
  assert.ok(!test0.runner.metrics().some((sample) => sample.labels.unit === slow.name))
})

test('an answer that no frame holds fails its own run, and ends no sandbox', async () => {
  const { runner } = test0
  const pids = runner.sandboxPids
  // 69 MB in UTF-8, of 46 MB in the isolate.
  const large = unit(`content() { return new Response('\\u0800'.repeat(23e6)) }`, {
    // A sandbox that does not answer for twice as long is ended.
    limits: { cpuMs: 60_000, wallMs: 60_000, memoryMb: 400 },
  })
  const outcome = await go(runner, [step(large, 'content')])
  assert.equal(outcome.kind, 'failed')
  assert.deepEqual(runner.sandboxPids, pids)
})

test('log lines pass while the tail is on', async () => {
  const talks = unit(`access() { console.warn('hello', { a: 1 }) }`)
  await go(test0.runner, [step(talks, 'access')])
  test0.runner.setTail(true)
  await go(test0.runner, [step(talks, 'access')])
  test0.runner.setTail(false)
  const lines = test0.lines.filter((line) => line.unit === talks.name)
  assert.equal(lines.length, 1)
  assert.match(lines[0]!.message, /^hello/)
  assert.equal(lines[0]!.level, 'warn')
})
