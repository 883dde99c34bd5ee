/** `edge.limit` and `edge.ban` as a unit sees them, with a host in the test's hand. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { CallAccount, HostAnswer, HostCall } from '../contract/host-calls.ts'
import type { TripOutcome } from '../contract/unit-runner.ts'
import { eventually } from '../../test/harness/eventually.ts'
import { go, startRunner, step, unit } from './testing/runner.ts'

/** More than anything here takes. */
const LIMITS = { wallMs: 20_000, cpuMs: 20_000 }

async function stand(t: TestContext, answer: (call: HostCall) => HostAnswer | undefined) {
  const heard: HostCall[] = []
  const { runner, close } = await startRunner({
    calls: {
      start(call, told) {
        heard.push(call)
        const said = answer(call)
        if (said !== undefined) told(said)
        return undefined
      },
    },
  })
  t.after(() => close())
  return { runner, heard }
}

const ok = (head: object): HostAnswer => ({
  ok: true,
  head: JSON.stringify(head),
  body: '',
  result: 'ok',
  target: '',
})
const contentOf = (code: string, before = '') =>
  step(unit(`async content(request, edge) { ${before}; ${code} }`, { limits: LIMITS }), 'content')
const bodyOf = (outcome: TripOutcome) => (outcome.kind === 'response' ? String(outcome.body) : outcome)

test('what is taken goes out as it was given, and the decision comes back', async (t) => {
  const { runner, heard } = await stand(t, ({ head }) =>
    ok({
      allowed: !head.includes('eli'),
      remaining: 2,
      retryAfterMs: head.includes('eli') ? null : 0,
      resetMs: 60_000,
    }),
  )
  const outcome = await go(runner, [
    contentOf(`
      const login = edge.limit('login')
      const first = await login.take('ana', 3)
      const second = await login.take('eli\\u{1F511}\\ud800')
      return new Response(JSON.stringify([login.name, String(login), first, second, second.retryAfterMs === Infinity]))`),
  ])
  assert.deepEqual(JSON.parse(String(bodyOf(outcome))), [
    'login',
    '[object Limit]',
    { allowed: true, remaining: 2, retryAfterMs: 0, resetMs: 60_000 },
    { allowed: false, remaining: 2, retryAfterMs: null, resetMs: 60_000 },
    true,
  ])
  assert.deepEqual(
    heard.map(({ kind, head }) => [kind, JSON.parse(head)]),
    [
      ['limit.take', { name: 'login', key: 'ana', cost: 3 }],
      // Half of a pair is no text that could be a key anywhere else.
      ['limit.take', { name: 'login', key: 'eli\u{1F511}\ufffd', cost: 1 }],
    ],
  )
})

test('what cannot be asked is a type error where it stands, and nothing goes out', async (t) => {
  const { runner, heard } = await stand(t, () => undefined)
  const attempts = [
    'edge.limit()',
    'edge.limit(5)',
    "edge.limit('a').take()",
    "edge.limit('a').take(5)",
    "edge.limit('a').take('k', 1.5)",
    "edge.limit('a').take('k', -1)",
    "edge.limit('a').take('k', '1')",
    "edge.limit('a').take('k', Infinity)",
    'edge.ban()',
    "edge.ban(5, '1m')",
    "edge.ban('192.0.2.7')",
    "edge.ban('192.0.2.7', {})",
    "edge.ban('192.0.2.7', '1m', { reason: 5 })",
    "edge.ban('192.0.2.7', NaN)",
    "edge.ban('192.0.2.7', Infinity)",
    "edge.ban('192.0.2.7', '1m', 'guesses')",
  ]
  const outcome = await go(runner, [
    contentOf(`
      const said = []
      for (const attempt of [${attempts.map((code) => `async () => ${code}`).join(', ')}])
        await attempt().then(() => said.push('no error'), (error) => said.push(error.name + ': ' + error.message))
      return new Response(said.join('\\n'))`),
  ])
  assert.deepEqual(String(bodyOf(outcome)).split('\n'), [
    'TypeError: edge.limit takes the name of a limit, not nothing',
    'TypeError: edge.limit takes the name of a limit, not the number 5',
    'TypeError: a key is text, not nothing',
    'TypeError: a key is text, not the number 5',
    'RangeError: what is taken is a whole number from 0, not the number 1.5',
    'RangeError: what is taken is a whole number from 0, not the number -1',
    'RangeError: what is taken is a whole number from 0, not the text "1"',
    'RangeError: what is taken is a whole number from 0, not the number Infinity',
    'TypeError: edge.ban takes an address or a prefix as text, not nothing',
    'TypeError: edge.ban takes an address or a prefix as text, not the number 5',
    'TypeError: edge.ban takes a time such as "10m", or milliseconds, not nothing',
    'TypeError: edge.ban takes a time such as "10m", or milliseconds, not an object',
    'TypeError: the reason of a ban is text, not the number 5',
    'RangeError: edge.ban takes a time such as "10m", or whole milliseconds, not the number NaN',
    'RangeError: edge.ban takes a time such as "10m", or whole milliseconds, not the number Infinity',
    'TypeError: the options of edge.ban are an object such as { reason }, not the text "guesses"',
  ])
  assert.deepEqual(heard, [])
})

test('a refusal is an error with a code', async (t) => {
  const { runner } = await stand(t, () => ({
    ok: false,
    head: '{"name":"Error","message":"edge.limit: there is no limit called `a`","code":"limit-unknown"}',
    body: '',
    result: 'limit-unknown',
    target: '',
  }))
  const outcome = await go(runner, [
    contentOf(`try { await edge.limit('a').take('k') } catch (error) {
      return new Response([error instanceof Error, error.code, error.message].join())
    }`),
  ])
  assert.equal(bodyOf(outcome), 'true,limit-unknown,edge.limit: there is no limit called `a`')
})

test('whatever a unit does to what everybody has, what it takes is what it said, and nobody else makes a limit', async (t) => {
  const { runner, heard } = await stand(t, ({ kind }) =>
    ok(
      kind === 'ban'
        ? { prefix: '192.0.2.7', until: 5 }
        : { allowed: true, remaining: 1, retryAfterMs: 0, resetMs: 1 },
    ),
  )
  const outcome = await go(runner, [
    contentOf(
      `
      const limit = edge.limit('login')
      const { allowed } = await limit.take('ana')
      const { until } = await edge.ban('192.0.2.7', '1m', { reason: 'r' })
      const made = []
      for (const make of [() => new limit.constructor(), () => new limit.constructor(Symbol('guest'), 5, 'x'), () => { limit.name = 'other' }])
        try { make(); made.push(limit.name) } catch (error) { made.push(error.name) }
      const other = await Reflect.apply(limit.take, {}, ['k']).then(() => 'taken', (error) => error.name)
      return new Response([allowed, until, ...made, other].join())`,
      `const wrong = () => 'forged'
       JSON.stringify = JSON.parse = String.prototype.toWellFormed = Number.isInteger = wrong
       Object.prototype.cost = 7
       Object.prototype.reason = 'forged'
       Promise.prototype.then = Promise.prototype.then`,
    ),
  ])
  assert.equal(bodyOf(outcome), 'true,5,TypeError,TypeError,login,TypeError')
  assert.deepEqual(
    heard.map(({ head }) => head),
    ['{"name":"login","key":"ana","cost":1}', '{"target":"192.0.2.7","for":"1m","reason":"r"}'],
  )
})

test('who took of a limit is run again when a neighbour ends the isolate, by the same account', async (t) => {
  const accounts = new Map<CallAccount, number[]>()
  const { runner, heard } = await stand(t, ({ kind, account }) => {
    // The first time it waits here until its isolate is gone.
    if (kind !== 'limit.take') return accounts.get(account)!.length > 1 ? ok({}) : undefined
    accounts.set(account, [...(accounts.get(account) ?? []), account.runs])
    return ok({ allowed: true, remaining: 1, retryAfterMs: 0, resetMs: 1 })
  })
  const shared = unit(
    `async content(request, edge) {
       if (request.path === '/loop') for (;;);
       await edge.limit('login').take('ana')
       await edge.kv.get('k')
       return new Response(request.path)
     }`,
    { limits: { wallMs: 20_000, cpuMs: 100 } },
  )
  const at = (path: string) => go(runner, [step(shared, 'content')], { head: `GET ${path} HTTP/1.1\r\n` })
  const taking = at('/take')
  await eventually(() => heard.some(({ kind }) => kind === 'kv.get'))
  const loop = await at('/loop')
  assert.equal(loop.kind === 'failed' && loop.reason, 'cpu')
  assert.equal(bodyOf(await taking), '/take')
  assert.equal(accounts.size, 1)
  const [runs] = [...accounts.values()]
  assert.ok(runs!.length > 1)
  assert.deepEqual(
    runs,
    runs!.map((_, index) => index),
    'each time it is begun anew is told',
  )
})
