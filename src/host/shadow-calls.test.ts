import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  newCallAccount,
  type CallKind,
  type HostAnswer,
  type HostCall,
  type HostCalls,
} from '../contract/host-calls.ts'
import { DEFAULT_MANIFEST } from '../contract/unit.ts'
import { startInShadow } from './shadow-calls.ts'

/** What reached the node, and what the unit was answered. */
function ask(kind: CallKind, head: object, { mayFetch = false, value = '', body = '' } = {}) {
  const reached: string[] = []
  const real: HostCalls = {
    start(call, answer) {
      reached.push(call.kind)
      answer({ ok: true, head: value === '' ? '' : '1', body: value, result: 'hit', target: 'k' })
      return undefined
    },
  }
  const unit = {
    name: 'a',
    version: 2,
    code: '',
    sourceMap: '',
    phases: 2,
    manifest: DEFAULT_MANIFEST,
    env: {},
    shadow: { mayFetch },
  }
  const account = newCallAccount()
  const call: HostCall = { unit, kind, head: JSON.stringify(head), body, isBytes: false, account }
  let answered: HostAnswer | undefined
  startInShadow(real, call, (answer) => (answered = answer))
  return { reached, answered: answered! }
}

test('a shadow reads what is there, and its writes are answered and go nowhere', () => {
  for (const kind of ['kv.get', 'kv.list', 'cache.get', 'crypto.verify', 'redis.read'] as const)
    assert.deepEqual(ask(kind, { key: 'k' }).reached, [kind])
  for (const kind of ['kv.put', 'kv.delete', 'cache.put', 'cache.delete', 'purge'] as const) {
    const { reached, answered } = ask(kind, { key: 'k' })
    assert.deepEqual([reached, answered.ok], [[], true], kind)
  }
})

test('what only its Redis could answer fails', () => {
  const { reached, answered } = ask('redis.write', { command: 'incr', args: ['k'] })
  assert.deepEqual([reached, answered.ok, answered.result], [[], false, 'shadow'])
})

test('a counter is told what it would be', () => {
  for (const [value, by, expected] of [
    ['', 1, '1'],
    ['41', 1, '42'],
    ['41', -2, '39'],
  ] as const) {
    const { reached, answered } = ask('kv.increment', { key: 'k', by }, { value })
    assert.deepEqual([reached, answered.head], [['kv.get'], expected])
  }
  assert.equal(ask('kv.increment', { key: 'k' }, { value: 'text' }).answered.ok, false)
})

test('a value that is set if it is as expected would be, or would not', () => {
  for (const [value, body, expected, would] of [
    ['old', 'oldnew', 3, '1'],
    ['other', 'oldnew', 3, '0'],
    ['', 'new', undefined, '1'],
    ['old', 'new', undefined, '0'],
  ] as const) {
    const { reached, answered } = ask('kv.compareAndSet', { key: 'k', expected }, { value, body })
    assert.deepEqual([reached, answered.head], [['kv.get'], would])
  }
})

test('nothing goes out, unless it may: then GET and HEAD', () => {
  assert.deepEqual(ask('fetch', { method: 'GET' }).reached, [])
  assert.equal(ask('fetch', { method: 'GET' }).answered.result, 'shadow')
  for (const [method, isSent] of [
    ['GET', true],
    ['HEAD', true],
    ['POST', false],
    ['DELETE', false],
    [7, false],
  ] as const)
    assert.equal(ask('fetch', { method }, { mayFetch: true }).reached.length === 1, isSent, `${method}`)
})
