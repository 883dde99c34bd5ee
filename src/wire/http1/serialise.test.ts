import assert from 'node:assert/strict'
import { STATUS_CODES } from 'node:http'
import { test } from 'node:test'
import { isFieldValue, isToken } from './characters.ts'
import { endToEndHeaders, serialiseRequestHead, serialiseResponseHead, statusText } from './serialise.ts'

test('heads are written line by line', () => {
  assert.equal(
    serialiseRequestHead('GET', '/a', ['host', 'example.org', 'x', '']),
    'GET /a HTTP/1.1\r\nhost: example.org\r\nx: \r\n\r\n',
  )
  assert.equal(serialiseResponseHead(204, ['x', 'y']), 'HTTP/1.1 204 No Content\r\nx: y\r\n\r\n')
  assert.equal(serialiseResponseHead(299, [], 'Fine'), 'HTTP/1.1 299 Fine\r\n\r\n')
  assert.equal(statusText(299), '')
})

test('every status that Node knows has a text', () => {
  for (const status of Object.keys(STATUS_CODES)) {
    // Retired by RFC 2616 and never sent.
    if (status === '509' || status === '510') continue
    assert.notEqual(statusText(Number(status)), '', status)
  }
})

test('fields for one hop do not pass on, nor those that Connection names', () => {
  const headers = [
    ['connection', 'x-own'],
    ['keep-alive', 'timeout=5'],
    ['proxy-connection', 'keep-alive'],
    ['proxy-authorization', 'secret'],
    ['proxy-authenticate', 'Basic'],
    ['te', 'trailers'],
    ['transfer-encoding', 'chunked'],
    ['upgrade', 'h2c'],
    ['x-own', '1'],
    ['host', 'example.org'],
    ['trailer', 'x'],
    ['x-own-2', '2'],
  ].flat()
  assert.deepEqual(endToEndHeaders(headers, ['x-own']), [
    'host',
    'example.org',
    'trailer',
    'x',
    'x-own-2',
    '2',
  ])
})

test('names and values that would break a message are told apart', () => {
  for (const name of ['x', 'X-Y', "a!#$%&'*+.^_`|~0-9Z"]) assert.equal(isToken(name), true, name)
  for (const name of ['', ' x', 'x ', 'a b', 'a:b', 'a\r', 'a\n', 'a\0', 'é', 'a(b'])
    assert.equal(isToken(name), false, name)
  for (const value of ['', 'a', 'a b\tc', 'é', '\xff']) assert.equal(isFieldValue(value), true, value)
  for (const value of [' a', 'a ', '\ta', 'a\r\nb', 'a\nb', 'a\rb', 'a\0', 'a\x7f', '\u0100', '€'])
    assert.equal(isFieldValue(value), false, JSON.stringify(value))
})
