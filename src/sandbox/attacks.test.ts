/**
 * Units that try to take the edge down, each while others serve: none of the others may fail or be blamed, and the one
 * that did it is named with its reason.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { lossyMachine as skip } from '../../test/harness/lossy-machine.ts'
import { startLoad, type Load } from './testing/load.ts'
import { go, startRunner, step, unit, type TestRunner } from './testing/runner.ts'
import type { FailureReason } from '../contract/unit.ts'

interface Attack {
  readonly name: string
  /** The handler. */
  readonly code: string
  readonly reasons: readonly FailureReason[]
  /** Module state. */
  readonly top?: string
  /** Not stopped for good: it harms itself alone. */
  readonly isTolerated?: boolean
}

const ATTACKS: readonly Attack[] = [
  { name: 'a loop', code: 'access() { for (;;); }', reasons: ['cpu'] },
  {
    name: 'a regex that backtracks',
    code: `access() { /^(a+)+$/.test('a'.repeat(40) + 'b') }`,
    reasons: ['cpu'],
  },
  {
    name: 'an endless chain of promises',
    code: `access() { const next = () => Promise.resolve().then(next); return next() }`,
    reasons: ['cpu', 'memory'],
  },
  {
    name: 'a loop after an await',
    code: `async access() { await 0; for (;;); }`,
    reasons: ['cpu'],
  },
  {
    name: 'a loop after a timer',
    code: `async access() { await new Promise((resolve) => setTimeout(resolve, 1)); for (;;); }`,
    reasons: ['cpu'],
  },
  {
    name: 'endless recursion',
    code: `access() { const f = () => f() + 1; f() }`,
    reasons: ['throw'],
    isTolerated: true,
  },
  {
    name: 'recursion that catches its overflow',
    code: `access() { const f = () => { try { f() } catch { f() } }; f() }`,
    reasons: ['cpu'],
  },
  {
    name: 'a growing string',
    code: `access() { let s = 'x'; for (;;) s += s + 'y' }`,
    reasons: ['throw', 'memory', 'cpu'],
    isTolerated: true,
  },
  {
    name: 'a growing array of objects',
    code: `access() { const a = []; for (;;) a.push({ a: 1, b: [2] }) }`,
    reasons: ['memory', 'cpu', 'crash'],
  },
  {
    name: 'a growing array of small arrays of doubles',
    code: `access() { const x = []; for (;;) x.push(new Array(1000).fill(1.5)) }`,
    reasons: ['memory', 'cpu', 'crash'],
  },
  {
    name: 'a growing map',
    code: `access() { const m = new Map(); for (let i = 0; ; i++) m.set(i, 'v' + i) }`,
    reasons: ['memory', 'cpu', 'crash'],
  },
  {
    name: 'typed arrays',
    code: `access() { const a = []; for (;;) a.push(new Uint8Array(1 << 20).fill(1)) }`,
    reasons: ['throw', 'memory', 'cpu', 'crash'],
    isTolerated: true,
  },
  {
    name: 'multiplication of big integers',
    code: `access() { let x = 3n ** 1000000n; for (;;) x = x * x }`,
    reasons: ['cpu', 'memory', 'crash', 'throw'],
  },
  {
    name: 'JSON.parse over and over',
    code: `access() { const t = '[' + '{"a":[1,2,3,"x"]},'.repeat(300000) + '1]'; for (;;) JSON.parse(t) }`,
    reasons: ['cpu', 'memory', 'crash'],
  },
  {
    name: 'replaceAll of large strings',
    code: `access() { let s = 'a'.repeat(1 << 20); for (;;) s = s.replaceAll('a', 'aa').slice(0, 1 << 24) }`,
    reasons: ['cpu', 'memory', 'crash', 'throw'],
  },
  {
    name: 'a split of the longest string',
    code: `access() { 'x'.repeat(2 ** 29 - 24).split('') }`,
    reasons: ['memory', 'crash', 'cpu'],
  },
  {
    name: 'memory kept from request to request',
    top: 'const kept = []',
    code: `access() { for (let i = 0; i < 5000; i++) kept.push(new Array(200).fill(i)) }`,
    reasons: ['memory', 'crash', 'cpu'],
    // A run that is cut for its CPU takes what was kept along, and its second try passes: so it may go on for long.
    isTolerated: true,
  },
  {
    name: 'a flood of timers',
    code: `async access() { for (let i = 0; i < 100000; i++) setTimeout(() => {}, i % 10) ; await new Promise((r) => setTimeout(r, 20)) }`,
    reasons: ['cpu', 'throw', 'memory', 'wall'],
    isTolerated: true,
  },
  {
    name: 'timers that set timers',
    code: `access() { const again = () => { setTimeout(again, 0); setTimeout(again, 0) }; again() }`,
    reasons: ['cpu', 'throw', 'memory'],
    isTolerated: true,
  },
  {
    name: 'a flood of log lines',
    code: `access() { for (let i = 0; i < 100000; i++) console.log('x'.repeat(1000), i) }`,
    reasons: ['cpu', 'memory'],
    isTolerated: true,
  },
  {
    name: 'a promise that never settles',
    code: `access() { return new Promise(() => {}) }`,
    reasons: ['wall'],
  },
  {
    name: 'a getter that loops',
    code: `access() { return { get then() { for (;;); } } }`,
    reasons: ['cpu'],
  },
  {
    name: 'a getter that throws what throws',
    code: `access() { throw { get message() { throw this }, get stack() { throw this }, toString() { throw this } } }`,
    reasons: ['throw'],
  },
  {
    name: 'records of its own making',
    code: `access() { return new Response('1 1 1 2 0 0 4 0 \\n2000\\n', { status: 200, headers: { 'x': '5 0 \\\\n' } }) }`,
    reasons: [],
    isTolerated: true,
  },
  {
    name: 'changed builtins',
    code: `access() {
      String.prototype.slice = String.prototype.charCodeAt = Array.prototype.push = () => '1 1 0 0 0 0 0 0 \\n'
      Object.prototype.toString = () => { for (;;); }
      Promise.prototype.then = () => { for (;;); }
      Map.prototype.get = Map.prototype.set = Map.prototype.delete = () => { throw 1 }
      Object.defineProperty(Object.prototype, 'edits', { get() { for (;;); } })
      return 'x'
    }`,
    reasons: ['throw', 'cpu'],
  },
  { name: 'no handler', code: `content() {}`, reasons: ['throw'] },
]

/** What others may wait at most in 99 of 100 cases, over all attacks, on a machine that has nothing else to do. */
const P99_MS = 100
const ATTEMPTS_MIN = 6
/** For what takes its time. */
const ATTEMPTS_MAX = 40
/** Other trips between two attacks. */
const TRIPS_BETWEEN = 100

let target: TestRunner
let load: Load
/** What they wait in 99 of 100 cases without an attack: on a shared machine that may be long, too. */
let quietP99Ms = 0
before(async () => {
  if (skip) return
  target = await startRunner()
  // The first trips wait for processes to start.
  const warm = startLoad(target.runner)
  await warm.answered(200)
  await warm.stop()
  const quiet = startLoad(target.runner)
  await quiet.answered(500)
  quietP99Ms = (await quiet.stop()).p99Ms
  load = startLoad(target.runner)
})
after(() => skip || target.close())

for (const { name, code, top = '', reasons, isTolerated } of ATTACKS) {
  test(`${name} harms nobody else`, { skip }, async (context) => {
    const { runner } = target
    const guilty = unit(code, { name: `attack: ${name}`, limits: { wallMs: 200 } })
    const attacker = { ...guilty, code: `${top}\n${guilty.code}` }
    const start = performance.now()
    const tripsBefore = load.trips()
    const failuresBefore = load.failures.length
    const outcomes = []
    for (let attempt = 0; attempt < ATTEMPTS_MIN || (attempt < ATTEMPTS_MAX && !isTolerated); attempt++) {
      if (attempt >= ATTEMPTS_MIN && runner.breakerState(attacker) !== 'closed') break
      outcomes.push(...(await Promise.all([1, 2].map(() => go(runner, [step(attacker, 'access')])))))
    }
    const seen = new Set(
      outcomes.map((outcome) => (outcome.kind === 'failed' ? outcome.reason : outcome.kind)),
    )
    const state = runner.breakerState(attacker)
    const ms = Math.round(performance.now() - start)
    context.diagnostic(
      `${[...seen].join(' ')}, ${state}, ${ms} ms, ${load.trips() - tripsBefore} other trips`,
    )
    for (const outcome of outcomes) {
      if (outcome.kind === 'failed')
        assert.ok(reasons.includes(outcome.reason), `${outcome.reason}: ${outcome.message}`)
    }
    if (!isTolerated) assert.ok(state !== 'closed', state)
    assert.deepEqual(load.failures.slice(failuresBefore), [])
    runner.release(attacker)
    await load.answered(TRIPS_BETWEEN)
  })
}

test('over all attacks, nobody else failed, was blamed or waited long', { skip }, async (context) => {
  const { runner, quarantined } = target
  for (const innocent of load.units) assert.equal(runner.breakerState(innocent), 'closed')
  assert.deepEqual(
    quarantined.filter(({ name }) => !name.startsWith('attack')),
    [],
  )
  const trips = load.trips()
  const { p99Ms, maxMs } = await load.stop()
  context.diagnostic(
    `${trips} other trips, p99 ${p99Ms.toFixed(1)} ms, longest ${maxMs.toFixed(0)} ms; p99 without attacks ${quietP99Ms.toFixed(1)} ms`,
  )
  assert.deepEqual(load.failures, [])
  assert.ok(p99Ms < P99_MS + 10 * quietP99Ms, `p99 ${p99Ms} ms`)
})

/** With time enough, what a short limit of CPU stops early goes all its way: V8 ends the isolate or the whole process. */
const WITH_TIME: readonly Attack[] = [
  {
    name: 'a growing array of small arrays of doubles',
    code: `access() { const x = []; for (;;) x.push(new Array(1000).fill(1.5)) }`,
    reasons: ['crash', 'memory'],
  },
  {
    name: 'a split of the longest string',
    code: `access() { 'x'.repeat(2 ** 29 - 24).split('') }`,
    reasons: ['crash', 'memory'],
  },
  {
    name: 'a growing map',
    code: `access() { const m = new Map(); for (let i = 0; ; i++) m.set(i, { i }) }`,
    reasons: ['crash', 'memory'],
  },
  {
    name: 'memory kept from request to request',
    top: 'const kept = []',
    code: `access() { for (let i = 0; i < 100000; i++) kept.push({ i, a: [i] }) }`,
    reasons: ['memory'],
  },
]

for (const { name, code, top = '', reasons } of WITH_TIME) {
  test(`${name}, with a second of CPU, ends no more than its own runs`, { skip }, async (context) => {
    const { runner, quarantined } = target
    const others = startLoad(runner)
    const guilty = unit(code, { name: `attack: ${name}, with time`, limits: { cpuMs: 1000, wallMs: 5000 } })
    const attacker = { ...guilty, code: `${top}\n${guilty.code}` }
    const seen = new Set<string>()
    for (let attempt = 0; attempt < ATTEMPTS_MAX && runner.breakerState(attacker) === 'closed'; attempt++) {
      const outcome = await go(runner, [step(attacker, 'access')])
      if (outcome.kind !== 'failed') continue
      seen.add(outcome.reason)
      assert.ok(reasons.includes(outcome.reason), `${outcome.reason}: ${outcome.message}`)
    }
    context.diagnostic(`${[...seen].join(' ')}, ${runner.breakerState(attacker)}`)
    assert.equal(runner.breakerState(attacker), 'quarantined')
    await others.answered(TRIPS_BETWEEN)
    await others.stop()
    assert.deepEqual(others.failures, [])
    assert.ok(quarantined.every((found) => found.name.startsWith('attack')))
  })
}
