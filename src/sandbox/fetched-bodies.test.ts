/** Bodies that units fetch and that go on after their heads, from the isolate to whoever brings them, with a host in the test's hand. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { type TestContext, test } from 'node:test'
import type {
  HostAnswer,
  HostBody,
  HostBodySink,
  HostCall,
  HostCalls,
  HostError,
} from '../contract/host-calls.ts'
import type { TripOutcome, UnitBody } from '../contract/unit-runner.ts'
import { eventually } from '../../test/harness/eventually.ts'
import { hostileGuest } from './testing/hostile.ts'
import { go, startRunner, step, unit, type TestUnit } from './testing/runner.ts'

/** A body that comes as the test says. It keeps what nobody has room for. */
class Body implements HostBody {
  readonly asked: { counted: boolean | undefined; times: number } = { counted: undefined, times: 0 }
  isCancelled = false
  #sink: HostBodySink | undefined
  #room = false
  #held: (readonly [piece: string, isLast: boolean])[] = []
  #error: HostError | undefined

  start(sink: HostBodySink, isCounted: boolean): void {
    this.asked.counted = isCounted
    this.#sink = sink
    this.resume()
  }

  resume(): void {
    this.asked.times++
    this.#room = true
    this.#tell()
  }

  cancel(): void {
    this.isCancelled = true
    this.#sink = undefined
  }

  give(piece: string, isLast = false): void {
    this.#held.push([piece, isLast])
    this.#tell()
  }

  breakOff(): void {
    this.#error = { name: 'TypeError', message: 'it broke off', code: 'origin-closed' }
    this.#tell()
  }

  #tell(): void {
    while (this.#room && this.#sink && this.#held.length > 0) {
      const [piece, isLast] = this.#held.shift()!
      this.#room = this.#sink.take(Buffer.from(piece), isLast)
    }
    if (this.#room && this.#held.length === 0 && this.#error) this.#sink?.fail(this.#error)
  }
}

async function stand(t: TestContext, prepare?: Parameters<typeof startRunner>[1]) {
  /** By what stands behind `http://o/`. */
  const bodies = new Map<string, Body>()
  const answers = new Map<string, () => void>()
  const calls: HostCalls = {
    start(call: HostCall, answer: (answer: HostAnswer) => void) {
      const { url = '' } = call.kind === 'fetch' ? (JSON.parse(call.head) as { url?: string }) : {}
      const rest = new Body()
      bodies.set(url.slice('http://o/'.length), rest)
      const head = `200 0 OK\n${url}\ncontent-type: text/x\r\n`
      const done = () => answer({ ok: true, head, body: '', rest, result: '200', target: url })
      answers.set(url.slice('http://o/'.length), done)
      done()
      return undefined
    },
  }
  const test = await startRunner({ calls }, prepare)
  test.runner.setTail(true)
  t.after(() => test.close())
  const body = (name: string): Promise<Body> => eventually(() => bodies.get(name))
  return { ...test, body }
}

/** More than anything here takes: a step that is cut off where the machine stood still would be run again, and call again. */
const LIMITS = { wallMs: 20_000, cpuMs: 20_000 }
const content = (code: string, options: TestUnit = {}) =>
  step(unit(`async content(request, edge) { ${code} }`, { limits: LIMITS, ...options }), 'content')
const bodyOf = (outcome: TripOutcome) => (outcome.kind === 'response' ? String(outcome.body) : outcome)

interface Came {
  text: string
  end: string | undefined
}

function take(outcome: TripOutcome, room = Number.POSITIVE_INFINITY): Came & { readonly stream: UnitBody } {
  assert.ok(
    outcome.kind === 'response' && outcome.stream,
    outcome.kind === 'failed' ? outcome.message : outcome.kind,
  )
  const { stream } = outcome
  const came = { text: '', end: undefined as string | undefined, stream }
  stream.start({
    write(piece) {
      came.text += String(piece)
      return came.text.length < room
    },
    end: () => (came.end = 'end'),
    fail: (reason, message) => (came.end = `${reason}: ${message}`),
  })
  return came
}

for (const isolation of ['process', 'inline'] as const) {
  const manifest = { isolation }
  test(`what a unit fetches it reads as it comes, or whole, ${isolation}`, async (t) => {
    const { runner, body, lines } = await stand(t)
    const piecewise = go(runner, [
      content(
        `const answer = await fetch('http://o/a')
         const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader()
         const pieces = []
         for (;;) {
           const { done, value } = await reader.read()
           if (done) break
           pieces.push(value)
           console.log(value)
         }
         return Response.json({ pieces, type: answer.headers.get('content-type'), used: answer.bodyUsed })`,
        { manifest },
      ),
    ])
    const a = await body('a')
    a.give('one')
    await eventually(() => lines.some(({ message }) => message === 'one'))
    a.give('two')
    a.give('', true)
    const told = JSON.parse(String(bodyOf(await piecewise))) as unknown
    assert.deepEqual(told, { pieces: ['one', 'two'], type: 'text/x', used: true })
    assert.equal(a.asked.counted, true)

    const whole = go(runner, [
      content(
        `const [b, c, d] = await Promise.all(['b', 'c', 'd'].map((name) => fetch('http://o/' + name)))
         const copy = d.clone()
         return Response.json([await b.text(), await c.json(), await d.text(), await copy.text(), await b.text().catch((e) => e.message)])`,
        { manifest },
      ),
    ])
    const [b, c, d] = await Promise.all([body('b'), body('c'), body('d')])
    b.give('é')
    b.give('', true)
    c.give('{"c":')
    c.give('1}', true)
    d.give('twice', true)
    assert.equal(bodyOf(await whole), '["é",{"c":1},"twice","twice","the body was already read"]')
  })

  test(`what a unit passes on does not enter it, ${isolation}`, async (t) => {
    const { runner, body, lines } = await stand(t)
    const ways = [
      `return fetch('http://o/NAME')`,
      `const { body, headers } = await fetch('http://o/NAME'); return new Response(body, { headers })`,
      `const answer = await fetch('http://o/NAME'); return new Response(answer.body, answer)`,
    ]
    for (const [index, way] of ways.entries()) {
      const name = String(index)
      const came = take(await go(runner, [content(way.replace('NAME', name), { manifest })]), 6)
      const source = await body(name)
      source.give('one')
      source.give('two')
      source.give('three')
      assert.equal(came.text, 'onetwo')
      came.stream.resume()
      source.give('', true)
      came.stream.resume()
      assert.deepEqual([came.text, came.end], ['onetwothree', 'end'])
      assert.equal(source.asked.counted, false)
    }
    // It breaks off: cut, told, and not held against the unit.
    const version = unit(`content() { return fetch('http://o/cut') }`, { limits: LIMITS, manifest })
    for (let n = 0; n < 6; n++) {
      const cut = take(await go(runner, [step(version, 'content')]))
      const source = await body('cut')
      source.give('part')
      source.breakOff()
      assert.deepEqual([cut.text, cut.end], ['part', 'throw: TypeError: it broke off'])
    }
    assert.equal(runner.breakerState(version), 'closed')
    assert.match(JSON.stringify(lines), /it broke off/)
    // Nobody wants it.
    const left = take(await go(runner, [content(`return fetch('http://o/left')`, { manifest })]))
    left.stream.cancel('gone')
    assert.equal((await body('left')).isCancelled, true)
  })

  test(`a fetched body is given up with whoever fetched it, ${isolation}`, async (t) => {
    const { runner, body, lines } = await stand(t)
    const ends = [
      `await fetch('http://o/NAME'); return new Response('unread')`,
      `const { body } = await fetch('http://o/NAME'); await body.cancel(); return new Response('cancelled')`,
      `const reader = (await fetch('http://o/NAME')).body.getReader(); await reader.read(); return new Response('read in part')`,
      `await fetch('http://o/NAME'); throw new Error('thrown')`,
      `const { body } = await fetch('http://o/NAME', { signal: AbortSignal.timeout(10) })
       try { await new Response(body).text() } catch (error) { return new Response(error.name) }`,
      `const stop = new AbortController(); const answer = await fetch('http://o/NAME', { signal: stop.signal }); stop.abort()
       try { return answer } finally { await answer.text().catch((error) => console.log('read: ' + error.name)) }`,
      `(await fetch('http://o/NAME')).text().catch((error) => console.log(error.code)); return new Response('')`,
    ]
    for (const [index, code] of ends.entries()) {
      const name = String(index)
      const trip = go(runner, [content(code.replace('NAME', name), { manifest })])
      const source = await body(name)
      source.give('piece')
      await trip
      await eventually(() => source.isCancelled, { what: code })
    }
    await eventually(() => /read: AbortError/.test(JSON.stringify(lines)))
    await eventually(() => /call-late/.test(JSON.stringify(lines)))
    const timed = await go(runner, [
      content(`await (await fetch('http://o/wall')).text()`, {
        manifest,
        limits: { ...LIMITS, wallMs: 200 },
      }),
    ])
    assert.equal(timed.kind === 'failed' && timed.reason, 'wall')
    assert.equal((await body('wall')).isCancelled, true)
  })

  test(`what waitUntil or a streamed answer reads goes on, ${isolation}`, async (t) => {
    const { runner, body, lines } = await stand(t)
    await go(runner, [
      content(
        `edge.waitUntil(fetch('http://o/later').then((answer) => answer.text()).then((text) => console.log(text))); return new Response('')`,
        { manifest },
      ),
    ])
    const later = await body('later')
    later.give('read later', true)
    await eventually(() => lines.some(({ message }) => message === 'read later'))

    const upper = `new TransformStream({ transform(piece, c) { c.enqueue(new TextEncoder().encode(new TextDecoder().decode(piece).toUpperCase())) } })`
    const made = content(`return new Response((await fetch('http://o/upper')).body.pipeThrough(${upper}))`, {
      manifest,
    })
    const came = take(await go(runner, [made]))
    const source = await body('upper')
    source.give('one ')
    await eventually(() => came.text === 'ONE ')
    source.give('two', true)
    await eventually(() => came.end === 'end')
    assert.equal(came.text, 'ONE TWO')

    const cut = take(await go(runner, [made]))
    ;(await body('upper')).breakOff()
    assert.match(await eventually(() => cut.end), /^throw: TypeError: it broke off/)
    const left = take(await go(runner, [made]))
    const unwanted = await body('upper')
    left.stream.cancel('the client has gone')
    await eventually(() => unwanted.isCancelled)
  })
}

test('while others are under way, a body waits a moment for whoever reads it', async (t) => {
  const { runner, body } = await stand(t)
  const sleep = 'const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))'
  const version = unit(
    `async content(request) {
       ${sleep}
       switch (request.path) {
         case '/waits':
           await new Promise((resolve) => { globalThis.release = resolve })
           // In a step of the other one, who is over when this is read.
           const answer = await fetch('http://o/read')
           await sleep(100)
           return new Response(await answer.text())
         case '/lets-go':
           release()
           await sleep(20)
           return new Response('over')
         case '/leaves':
           await fetch('http://o/left')
           return new Response('unread')
       }
     }`,
    { limits: LIMITS },
  )
  const ask = (path: string) => go(runner, [step(version, 'content')], { head: `GET ${path} HTTP/1.1\r\n` })
  const waits = ask('/waits')
  assert.equal(bodyOf(await ask('/leaves')), 'unread')
  const left = await body('left')
  assert.equal(left.isCancelled, false)
  await eventually(() => left.isCancelled)
  assert.equal(bodyOf(await ask('/lets-go')), 'over')
  ;(await body('read')).give('read by whoever asked', true)
  assert.equal(bodyOf(await waits), 'read by whoever asked')
})

test('an answer that is kept for a later request is not passed on, and the author is told why', async (t) => {
  const { runner, body } = await stand(t)
  const version = unit(
    `async content() {
       if (globalThis.kept) return kept
       globalThis.kept = await fetch('http://o/kept')
       return new Response('kept')
     }`,
    { limits: LIMITS },
  )
  assert.equal(bodyOf(await go(runner, [step(version, 'content')])), 'kept')
  await eventually(async () => (await body('kept')).isCancelled)
  const outcome = await go(runner, [step(version, 'content')])
  assert.match(
    outcome.kind === 'failed' ? outcome.message : '',
    /the request that it was fetched for is over$/,
  )
})

test('a signal that is aborted cuts what was passed on', async (t) => {
  const { runner, body } = await stand(t)
  const came = take(
    await go(runner, [content(`return fetch('http://o/timed', { signal: AbortSignal.timeout(30) })`)]),
  )
  ;(await body('timed')).give('part')
  assert.match(await eventually(() => came.end), /^throw: the unit gave up the fetch/)
  assert.equal((await body('timed')).isCancelled, true)
})

test('what was passed on outlives the process that did so; what is read does not', async (t) => {
  const { runner, body } = await stand(t)
  const came = take(await go(runner, [content(`return fetch('http://o/passed')`)]))
  const reading = go(runner, [content(`return new Response(await (await fetch('http://o/read')).text())`)])
  const read = await body('read')
  await eventually(() => read.asked.times === 1)
  for (const pid of runner.sandboxPids) process.kill(pid, 'SIGKILL')
  const outcome = await reading
  assert.equal(outcome.kind === 'failed' && outcome.reason, 'crash')
  assert.equal(read.isCancelled, true)
  const passed = await body('passed')
  passed.give('all of it', true)
  assert.deepEqual([came.text, came.end], ['all of it', 'end'])
})

/** A guest that breaks the rules of fetched bodies, in a way that the unit's `env` names. */
const HOSTILE = hostileGuest(`
  const call = (number, kind, head) => '6 ' + [number, id, kind, head.length, 0, 0].join(' ') + ' \\n' + head
  const record = (outcome, head, body, kind) => '1 ' + [id, outcome, phase, 0, head.length, body.length, kind].join(' ') + ' \\n' + head + body
  const pass = (number) => record(1, '200\\n', number, 5)
  if (invoke !== null) {
    if (mode === 'unknown') return [pass('77')]
    return [record(3, '', '', 0) + call(1, 6, JSON.stringify({ url: 'http://o/x' }))]
  }
  const answer = /^6 (\\d+) (\\d) /.exec(batch)
  if (answer === null) return ['']
  const ways = {
    'read and passed': () => call(2, 103, '1') + pass('1'),
    'read twice': () => call(2, 103, '1') + call(3, 103, '1'),
    'passed where nothing is answered': () => pass('1'),
    'one number for two': () => call(1, 6, JSON.stringify({ url: 'http://o/second' })) + record(1, '200\\n', 'over', 0),
  }
  if (answer[1] === '1') return [ways[mode]()]
  return [answer[1] === '3' ? record(1, '200\\n', 'refused ' + answer[2], 0) : '']
`)

test('a guest that breaks the rules of fetched bodies harms its own answer alone', async (t) => {
  const { runner, body } = await stand(t, ({ guest }) => writeFileSync(guest, HOSTILE))
  const run = (mode: string, phase: 'content' | 'headerFilter' = 'content') =>
    go(runner, [step(unit('', { env: { MODE: mode }, limits: LIMITS }), phase)], { response: '200\n' })
  for (const mode of ['unknown', 'read and passed']) {
    const outcome = await run(mode)
    assert.match(
      outcome.kind === 'failed' ? outcome.message : '',
      /^this body is not to be had any more/,
      mode,
    )
  }
  assert.equal(bodyOf(await run('read twice')), 'refused 1')
  // The first one would lie there for ever, and nobody could read it or give it up.
  assert.equal(bodyOf(await run('one number for two')), 'over')
  const first = await body('x')
  await eventually(() => first.isCancelled)
  const filtered = await run('passed where nothing is answered', 'headerFilter')
  assert.equal(filtered.kind === 'failed' && filtered.message, 'its answer is not in form')
})
