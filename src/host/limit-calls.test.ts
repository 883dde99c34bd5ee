/** `edge.limit` as the worker answers it, with limits in the test's hand. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { newCallAccount, type CallAccount, type HostAnswer } from '../contract/host-calls.ts'
import { callOf } from './host-calls.support.ts'
import { LimitCalls, type LimitAnswer, type LimitAsker, type NamedLimits } from './limit-calls.ts'
import { startInShadow } from './shadow-calls.ts'

/** Each key may take so much in all. */
class Counted implements NamedLimits {
  readonly asked: string[] = []
  readonly #most: number
  readonly #used = new Map<string, number>()

  constructor(most: number) {
    this.#most = most
  }

  take({ unit, site }: LimitAsker, name: string, key: string, cost: number): LimitAnswer | undefined {
    if (!this.names().includes(name)) return undefined
    this.asked.push(`${unit.name} ${site ?? '-'} ${name} ${key.slice(0, 20)} ${cost}`)
    const used = this.#used.get(key) ?? 0
    const allowed = used + cost <= this.#most
    if (allowed) this.#used.set(key, used + cost)
    const remaining = this.#most - (allowed ? used + cost : used)
    return { allowed, remaining, retryAfterMs: allowed ? 0 : Infinity, resetMs: 60_000 }
  }

  names(): readonly string[] {
    return ['login', 'api']
  }
}

function stand(most = 3) {
  const limits = new Counted(most)
  const calls = new LimitCalls(limits)
  const ask = (head: unknown, account: CallAccount = newCallAccount('', 'tv'), shadow = false) => {
    const of = shadow ? { shadow: { mayFetch: false } } : {}
    const call = callOf('limit.take', head, { account, of })
    let answered: HostAnswer | undefined
    const answer = (came: HostAnswer): void => void (answered = came)
    if (shadow) startInShadow({ start: (given, told) => calls.start(given, told) }, call, answer)
    else calls.start(call, answer)
    return answered!
  }
  return { limits, ask }
}

const said = ({ head }: HostAnswer) => JSON.parse(head) as Record<string, unknown>

test('what is taken is told, and where it would never be allowed that is null on the way', () => {
  const { limits, ask } = stand(1)
  const first = ask({ name: 'login', key: 'ana', cost: 1 })
  assert.deepEqual(said(first), { allowed: true, remaining: 0, retryAfterMs: 0, resetMs: 60_000 })
  assert.deepEqual([first.result, first.target], ['allowed', 'login ana'])
  const second = ask({ name: 'login', key: 'ana', cost: 1 })
  assert.deepEqual(said(second), { allowed: false, remaining: 0, retryAfterMs: null, resetMs: 60_000 })
  assert.equal(second.result, 'refused')
  assert.deepEqual(limits.asked, ['gate tv login ana 1', 'gate tv login ana 1'])
})

test('an invocation that is begun anew takes nothing twice, and is answered as the first time', () => {
  const { limits, ask } = stand()
  const account = newCallAccount('', 'tv')
  const take = (key: string) => said(ask({ name: 'login', key, cost: 1 }, account))['remaining']
  assert.deepEqual([take('ana'), take('ana'), take('eli')], [2, 1, 2])
  account.runs += 1
  assert.deepEqual([take('ana'), take('ana')], [2, 1], 'as before')
  assert.equal(limits.asked.length, 3)
  assert.equal(take('ana'), 0, 'what it did not ask before it takes now')
  account.runs += 1
  assert.deepEqual([take('eli'), take('ana'), take('ana'), take('ana')], [2, 2, 1, 0])
  assert.equal(limits.asked.length, 4)
  // Another request is another matter.
  assert.equal(said(ask({ name: 'login', key: 'ana', cost: 1 }))['allowed'], false)
})

test('a name that is unknown is told with those that are known, or with the one that was meant', () => {
  const { ask } = stand()
  const of = (name: string) => said(ask({ name, key: 'k', cost: 1 }))
  assert.deepEqual(of('logn'), {
    name: 'Error',
    code: 'limit-unknown',
    message: 'edge.limit: there is no limit called `logn`: did you mean `login`?',
  })
  assert.match(String(of('checkout')['message']), /there are login, api$/)
  assert.match(String(of('')['message']), /no limit called ``/)
})

test('what comes out of a sandbox is checked', () => {
  const { limits, ask } = stand()
  for (const [head, message] of [
    ['', /not in form/],
    ['null', /not in form/],
    ['[]', /not in form/],
    [{ name: 1, key: 'k', cost: 1 }, /not in form/],
    [{ name: 'login', cost: 1 }, /not in form/],
    [{ name: 'login', key: 'k', cost: 1.5 }, /whole number from 0 to 1000000000, not 1\.5/],
    [{ name: 'login', key: 'k', cost: -1 }, /not -1/],
    [{ name: 'login', key: 'k', cost: 1e300 }, /not 1e\+300/],
    [{ name: 'login', key: 'k', cost: '1' }, /not "1"/],
    [
      { name: 'login', key: 'k'.repeat(65_537), cost: 1 },
      /a key of 65537 characters, and a key has at most 65536/,
    ],
  ] as const) {
    const { code, message: told } = said(ask(head))
    assert.equal(code, 'limit-invalid')
    assert.match(String(told), message)
  }
  assert.equal(limits.asked.length, 0)
  for (const key of ['', 'k'.repeat(65_536)]) assert.equal(ask({ name: 'login', key, cost: 1 }).ok, true)
})

test('one request asks a thousand times at most', () => {
  const { ask } = stand(5000)
  const account = newCallAccount()
  for (let i = 0; i < 1000; i++)
    assert.equal(ask({ name: 'api', key: `${i % 7}`, cost: 1 }, account).ok, true)
  assert.match(
    ask({ name: 'api', key: 'k', cost: 1 }, account).head,
    /more than 1000 questions of one request","code":"call-limit"/,
  )
  account.runs += 1
  assert.equal(ask({ name: 'api', key: '0', cost: 1 }, account).ok, true, 'what was answered is there')
})

test('of long keys no more is kept than of short ones, and each is known again', () => {
  const { limits, ask } = stand(1)
  const account = newCallAccount()
  const long = (end: string) => ({ name: 'login', key: `${'k'.repeat(65_000)}${end}`, cost: 1 })
  const first = [ask(long('a'), account), ask(long('b'), account)]
  account.runs += 1
  assert.deepEqual([ask(long('a'), account), ask(long('b'), account)], first)
  assert.equal(limits.asked.length, 2)
  assert.ok([...account.taken!.byQuestion.keys()].every((key) => key.length < 300))
})

test('a shadow is told what it would be allowed, and takes nothing', () => {
  const { limits, ask } = stand(3)
  const shadow = (cost: number) =>
    said(ask({ name: 'login', key: 'ana', cost }, newCallAccount('', 'tv'), true))
  assert.deepEqual(shadow(2), { allowed: true, remaining: 1, retryAfterMs: 0, resetMs: 60_000 })
  assert.deepEqual(shadow(3), { allowed: true, remaining: 0, retryAfterMs: 0, resetMs: 60_000 })
  assert.deepEqual(shadow(4), { allowed: false, remaining: 3, retryAfterMs: 60_000, resetMs: 60_000 })
  assert.ok(limits.asked.every((text) => text.endsWith(' 0')))
  assert.equal(said(ask({ name: 'login', key: 'ana', cost: 3 }))['allowed'], true)
})
