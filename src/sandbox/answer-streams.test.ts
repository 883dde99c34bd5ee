/** Answers that units stream, in both lanes: piece by piece, with back-pressure, and cut where they cannot go on. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { hostileGuest } from './testing/hostile.ts'
import { go, startRunner, step, unit, type TestRunner } from './testing/runner.ts'
import { eventually } from '../../test/harness/eventually.ts'
import { STREAM_PIECE_MAX } from './protocol.ts'
import type { UnitLimits } from '../contract/unit.ts'
import type { UnitBody } from '../contract/unit-runner.ts'

/** What came of a stream so far. */
interface Came {
  readonly pieces: string[]
  /** Sizes, in bytes. */
  bytes: number
  end: string | undefined
}

/** Starts a stream; takes `room` pieces at once, and then one a `resume`. */
function take(stream: UnitBody, room = Number.POSITIVE_INFINITY): Came {
  const came: Came = { pieces: [], bytes: 0, end: undefined }
  stream.start({
    write(piece) {
      came.pieces.push(piece.toString('utf8'))
      came.bytes += piece.length
      return came.pieces.length < room
    },
    end: () => (came.end = 'end'),
    fail: (reason, message) => (came.end = `${reason}: ${message}`),
  })
  return came
}

const body = (source: string, more = ''): string =>
  `content(request, edge) { ${more}; return new Response(new ReadableStream({ ${source} })) }`

const BYTES = 'const bytes = (text) => new TextEncoder().encode(text)'

/** More than anything here takes: a step that is cut off where the machine stood still would cut its stream. */
const LIMITS = { cpuMs: 20_000, wallMs: 20_000 }

async function open(
  on: TestRunner,
  isolation: 'process' | 'inline',
  handlers: string,
  limits: Partial<UnitLimits> = LIMITS,
): Promise<UnitBody> {
  const version = unit(handlers, { manifest: { isolation }, limits })
  const outcome = await go(on.runner, [step(version, 'content')])
  assert.ok(
    outcome.kind === 'response' && outcome.stream,
    outcome.kind === 'failed' ? outcome.message : outcome.kind,
  )
  return outcome.stream
}

const textOf = (of: TestRunner): string => JSON.stringify(of.lines)
const ended = (came: Came) => eventually(() => came.end)

/**
 * A stream whose unit uses up its CPU, and is blamed. It has little, and a machine that stands still for longer than a step may
 * take cuts it off before it has used that: nobody is blamed then, and it is asked again.
 */
const blamed = (on: TestRunner, isolation: 'process' | 'inline', handlers: string): Promise<Came> =>
  eventually(async () => {
    const came = take(await open(on, isolation, handlers, { ...LIMITS, cpuMs: 50 }))
    assert.match(await ended(came), /^cpu: /)
    return came
  })

// A stream pulls one piece ahead: the second pull runs with the head, and what fails there fails the whole answer.
test('answers that units stream', async (t) => {
  const runner = await startRunner()
  t.after(() => runner.close())
  runner.runner.setTail(true)
  for (const isolation of ['process', 'inline'] as const) {
    await t.test(`${isolation}: pieces come one by one, also after timers, and then the end`, async () => {
      const came = take(
        await open(
          runner,
          isolation,
          body(
            `async pull(c) { if (n < 3) { await new Promise((r) => setTimeout(r, 5)); c.enqueue(bytes('é' + n++)) } else c.close() }`,
            `${BYTES}; let n = 0`,
          ),
        ),
      )
      await ended(came)
      assert.deepEqual(came, { pieces: ['é0', 'é1', 'é2'], bytes: 9, end: 'end' })
    })

    await t.test(`${isolation}: a large piece comes in several`, async () => {
      const came = take(
        await open(
          runner,
          isolation,
          body('start(c) { c.enqueue(new Uint8Array(200_000).fill(200)); c.close() }'),
        ),
      )
      await ended(came)
      assert.equal(came.end, 'end')
      assert.equal(came.bytes, 200_000)
      assert.ok(came.pieces.length >= 200_000 / STREAM_PIECE_MAX)
    })

    await t.test(
      `${isolation}: who does not read stops the pulling, and the unit hears when nobody wants it`,
      async () => {
        const stream = await open(
          runner,
          isolation,
          body(
            `pull(c) { n++; c.enqueue(bytes('piece')) }, cancel(why) { edge.log('after ' + n + ': ' + why.name + ': ' + why.message) }`,
            `${BYTES}; let n = 0`,
          ),
        )
        const came = take(stream, 3)
        await eventually(() => came.pieces.length === 3)
        stream.resume()
        await eventually(() => came.pieces.length === 4)
        stream.cancel('the client has gone')
        await eventually(() => /after \d+: AbortError: the client has gone/.test(textOf(runner)))
        // The stream's own queue and the piece under way are ahead, no more.
        assert.match(textOf(runner), /after [4-8]: AbortError/)
        assert.equal(came.end, undefined)
        runner.lines.length = 0
      },
    )

    await t.test(
      `${isolation}: a stream that fails, or brings what is no bytes, is cut and logged`,
      async () => {
        const failing = take(
          await open(
            runner,
            isolation,
            body(
              `pull(c) { if (n++ > 0) throw new RangeError('no more'); c.enqueue(bytes('a')) }`,
              `${BYTES}; let n = 0`,
            ),
          ),
        )
        assert.match(await ended(failing), /^throw: RangeError: no more/)
        assert.deepEqual(failing.pieces, ['a'])
        const text = take(await open(runner, isolation, body(`start(c) { c.enqueue('text') }, cancel() {}`)))
        assert.match(await ended(text), /^throw: TypeError: a body's stream brought/)
        assert.match(textOf(runner), /no more/)
        runner.lines.length = 0
      },
    )

    await t.test(`${isolation}: who uses too much CPU for piece after piece is cut`, async () => {
      // Three times its limit, and less than ends a step: by the clock, so that it is the same everywhere.
      const work = 'for (const end = Date.now() + 150; Date.now() < end; );'
      const greedy = await blamed(
        runner,
        isolation,
        body(`pull(c) { if (n++ > 1) { ${work} } c.enqueue(bytes('a')) }`, `${BYTES}; let n = 0`),
      )
      assert.match(
        greedy.end!,
        /^cpu: it (?:used \d+ ms of CPU in a call; 50 ms are allowed|ran on past its 50 ms)/,
      )
      runner.lines.length = 0
    })

    await t.test(`${isolation}: a loop in a stream is cut off and blamed`, async () => {
      const looping = await blamed(
        runner,
        isolation,
        body(`pull(c) { if (n++ > 1) for (;;); c.enqueue(bytes('a')) }`, `${BYTES}; let n = 0`),
      )
      assert.deepEqual(looping.pieces, ['a'])
      runner.lines.length = 0
    })
  }

  await t.test('who dies with its process is cut, once, and the unit goes on', async () => {
    const ticking = body(
      `async pull(c) { await new Promise((r) => setTimeout(r, 5)); c.enqueue(bytes('a')) }`,
      BYTES,
    )
    const version = unit(ticking, { limits: LIMITS })
    // As many as would open its breaker.
    const all: Came[] = []
    for (let n = 0; n < 6; n++) {
      const outcome = await go(runner.runner, [step(version, 'content')])
      assert.ok(outcome.kind === 'response' && outcome.stream, outcome.kind)
      all.push(take(outcome.stream))
    }
    await eventually(() => all.every(({ pieces }) => pieces.length > 1))
    for (const pid of runner.runner.sandboxPids) process.kill(pid, 'SIGKILL')
    for (const came of all) assert.match(await ended(came), /^crash: /)
    assert.equal(runner.runner.breakerState(version), 'closed')
    const outcome = await go(runner.runner, [step(version, 'content')])
    assert.ok(outcome.kind === 'response' && outcome.stream, outcome.kind)
    const after = take(outcome.stream)
    await eventually(() => after.pieces.length > 0)
    outcome.stream.cancel('enough')
    runner.lines.length = 0
  })

  await t.test('a version that is switched off and released finishes what it streams', async () => {
    const version = unit(
      body(
        `async pull(c) { await new Promise((r) => setTimeout(r, 5)); c.enqueue(bytes('a')); if (++n === 5) c.close() }`,
        `${BYTES}; let n = 0`,
      ),
      { limits: LIMITS },
    )
    const outcome = await go(runner.runner, [step(version, 'content')])
    assert.ok(outcome.kind === 'response' && outcome.stream)
    runner.runner.setLive([])
    runner.runner.release(version)
    const came = take(outcome.stream)
    assert.equal(await ended(came), 'end')
    assert.equal(came.pieces.length, 5)
  })

  await t.test('a stream that gives no piece is cut after thirty times `wallMs`', async () => {
    const silent = unit(body('pull() { return new Promise(() => {}) }'), {
      limits: { ...LIMITS, wallMs: 20 },
    })
    const outcome = await go(runner.runner, [step(silent, 'content')])
    assert.ok(outcome.kind === 'response' && outcome.stream)
    assert.match(await ended(take(outcome.stream)), /^wall: no piece of its body came within 600 ms/)
    runner.lines.length = 0
  })
})

/** A guest that breaks the rules of streams, in a way that the unit's `env` names. */
const HOSTILE = hostileGuest(`
  if (invoke === null) return ['']
  const call = (number, kind, body = '', bodyKind = 1, of = id) => '6 ' + [number, of, kind, 0, body.length, bodyKind].join(' ') + ' \\n' + body
  const record = (outcome, kind) => '1 ' + [id, outcome, phase, 0, 4, 0, kind].join(' ') + ' \\n200\\n'
  const calls = {
    twice: () => call(2, 101, 'a') + call(3, 101, 'b'),
    large: () => call(2, 101, 'x'.repeat(70000)),
    empty: () => call(2, 101),
    text: () => call(2, 101, 'a', 0),
    reopened: () => call(2, 100),
    early: () => call(2, 101, 'a') + call(3, 102),
    unknown: () => call(2, 999, 'a'),
    answered: () => record(0, 0) + record(1, 0) + call(2, 102),
    others: () => call(2, 101, 'a', 1, id + 1) + call(3, 101, 'a', 1, 0) + call(4, 102),
  }
  if (mode === 'whole') return [record(1, 0)]
  return [record(1, 4) + call(1, 100) + calls[mode]()]
`)

const hostileUnit = (mode: string) => unit('', { env: { MODE: mode }, limits: LIMITS })

test('a guest that breaks the rules of streams harms its own answer alone', async (t) => {
  const hostile = await startRunner({}, ({ guest }) => writeFileSync(guest, HOSTILE))
  t.after(() => hostile.close())
  const cases: readonly (readonly [mode: string, end: RegExp])[] = [
    ['twice', /^throw: it does not wait/],
    ['large', /^throw: a piece of its body is not in form/],
    ['empty', /^throw: a piece of its body is not in form/],
    ['text', /^throw: a piece of its body is not in form/],
    ['reopened', /^throw: it does not wait/],
    ['early', /^throw: it ends its body before/],
    ['unknown', /^throw: it does not wait/],
    ['answered', /^end$/],
    ['others', /^end$/],
  ]
  for (const [mode, end] of cases) {
    const outcome = await go(hostile.runner, [step(hostileUnit(mode), 'content')])
    assert.ok(outcome.kind === 'response' && outcome.stream, mode)
    const came = take(outcome.stream)
    assert.match(await ended(came), end, mode)
    assert.deepEqual(came.pieces, [], mode)
  }
  const filtered = await go(hostile.runner, [step(hostileUnit('twice'), 'bodyFilter')], {
    body: 'b1',
    response: '200\n',
  })
  assert.ok(filtered.kind === 'failed')
  assert.equal(filtered.message, 'its answer is not in form')
  const whole = await go(hostile.runner, [step(hostileUnit('whole'), 'headerFilter')], {
    response: '200\n',
  })
  assert.ok(whole.kind === 'failed', 'who may not answer has answered')
  assert.equal(whole.message, 'its answer is not in form')
})
