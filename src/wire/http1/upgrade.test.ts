import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RequestHead } from './message.ts'
import { parseRequestHead } from './request-parser.ts'
import { isSwitchTo, readUpgrade } from './upgrade.ts'

const LIMITS = { headBytes: 32_768, targetBytes: 8192, headerCount: 100 }

function head(lines: readonly string[], first = 'GET /chat HTTP/1.1'): RequestHead {
  const text = [first, 'Host: example.org', ...lines].map((line) => `${line}\r\n`).join('')
  const bytes = Buffer.from(`${text}\r\n`, 'latin1')
  const parsed = parseRequestHead(bytes, 0, bytes.length, LIMITS)
  assert.equal(parsed.kind, 'head')
  return (parsed as { head: RequestHead }).head
}

const read = (lines: readonly string[], first?: string) => {
  const parsed = head(lines, first)
  const asked = readUpgrade(parsed, parsed.method)
  return asked.kind === 'upgrade' ? asked.protocols : asked.kind === 'refused' ? asked.reason : 'ignored'
}

const KEY = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='
const VERSION = 'Sec-WebSocket-Version: 13'
const ASK = ['Connection: Upgrade', 'Upgrade: websocket']

test('an upgrade counts where Connection names it, and in HTTP/1.1 alone', () => {
  assert.equal(head([...ASK]).upgrade, 'websocket')
  assert.equal(head(['Connection: keep-alive, upgrade', 'Upgrade: a', 'Upgrade: b/2']).upgrade, 'a, b/2')
  assert.equal(head(['Upgrade: websocket']).upgrade, undefined)
  assert.equal(head(['Connection: Upgrade']).upgrade, undefined)
  assert.equal(head(ASK, 'GET / HTTP/1.0').upgrade, undefined)
})

test('a WebSocket is asked for as RFC 6455 says, or not at all', () => {
  assert.equal(read([...ASK, KEY, VERSION]), 'websocket')
  assert.equal(read(['Connection: upgrade', 'Upgrade: WebSocket', KEY, VERSION]), 'WebSocket')
  const key = 'malformed Sec-WebSocket-Key'
  assert.equal(read([...ASK, VERSION]), key)
  assert.equal(read([...ASK, KEY, KEY, VERSION]), key)
  assert.equal(read([...ASK, 'Sec-WebSocket-Key: short==', VERSION]), key)
  assert.equal(read([...ASK, 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZR==', VERSION]), key)
  assert.match(read([...ASK, KEY]), /version 13/)
  assert.match(read([...ASK, KEY, 'Sec-WebSocket-Version: 8']), /version 13/)
  assert.match(read([...ASK, KEY, VERSION], 'POST /chat HTTP/1.1'), /GET/)
  assert.match(read([...ASK, KEY, VERSION, 'Content-Length: 5']), /body/)
  assert.match(read([...ASK, KEY, VERSION, 'Transfer-Encoding: chunked']), /body/)
  assert.equal(read([...ASK, KEY, VERSION, 'Content-Length: 0']), 'websocket')
})

test('protocols that are HTTP again, or hide it, are not asked for', () => {
  const upgrade = (protocols: string) => read(['Connection: Upgrade', `Upgrade: ${protocols}`])
  for (const protocols of ['h2c', 'H2C', 'h2', 'HTTP/2.0', 'TLS/1.2', 'h2c, TLS/1.0', ''])
    assert.equal(upgrade(protocols), 'ignored', protocols)
  assert.equal(upgrade('h2c, chat/2, tls/1.3'), 'chat/2')
  assert.equal(upgrade('foo, bar/1'), 'foo, bar/1')
  for (const protocols of ['a b', 'a/b/c', '"a"', 'a;b', '/1'])
    assert.equal(upgrade(protocols), 'malformed Upgrade')
})

test('another protocol with a body is not asked for', () => {
  assert.equal(
    read(['Connection: Upgrade', 'Upgrade: foo', 'Content-Length: 3'], 'POST / HTTP/1.1'),
    'ignored',
  )
})

test('an origin may switch to what was asked for, and says so', () => {
  const response = (upgrade: string, nominated = ['upgrade']) => ({
    headers: ['upgrade', upgrade],
    nominated,
  })
  assert.ok(isSwitchTo('websocket', response('WebSocket')))
  assert.ok(isSwitchTo('foo, bar/1', response('bar/1')))
  assert.ok(!isSwitchTo('websocket', response('h2c')))
  assert.ok(!isSwitchTo('websocket', response('websocket, h2c')))
  assert.ok(!isSwitchTo('websocket', response('')))
  assert.ok(!isSwitchTo('websocket', response('websocket', [])))
  assert.ok(!isSwitchTo('websocket', { headers: [], nominated: ['upgrade'] }))
})
