import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { at, headerList, NOW, SECOND, type Fields } from './caching.support.ts'
import { forwardedHeaders, isNotModified, notModifiedHeaders, type Validators } from './conditional.ts'

const CHANGED = at(NOW - 100 * SECOND)
const STORED: Validators = { status: 200, etag: '"one"', lastModified: CHANGED, date: at(NOW) }

describe('isNotModified (RFC 9110 §13)', () => {
  const table: [title: string, fields: Fields, stored: Partial<Validators>, expected: boolean][] = [
    ['is false without a condition', {}, {}, false],
    ['knows the tag', { 'if-none-match': '"one"' }, {}, true],
    ['knows another tag', { 'if-none-match': '"two"' }, {}, false],
    ['finds the tag in a list', { 'if-none-match': '"zero", "one" ,"two"' }, {}, true],
    ['finds the tag in several fields', { 'if-none-match': ['"zero"', '"one"'] }, {}, true],
    ['compares weakly: a weak tag of the client', { 'if-none-match': 'W/"one"' }, {}, true],
    ['compares weakly: a weak tag of the origin', { 'if-none-match': '"one"' }, { etag: 'W/"one"' }, true],
    ['does not look for a tag inside another', { 'if-none-match': '"a, one, b"' }, {}, false],
    ['tells tags with commas', { 'if-none-match': '"a,b"' }, { etag: '"a,b"' }, true],
    ['takes the star for whatever there is', { 'if-none-match': '*' }, { etag: undefined }, true],
    ['does not take a star in quotes for one', { 'if-none-match': '"*"' }, {}, false],
    ['is false for a tag where none is stored', { 'if-none-match': '"one"' }, { etag: undefined }, false],
    [
      'knows a tag without quotes, if the origin sent it so',
      { 'if-none-match': 'one' },
      { etag: 'one' },
      true,
    ],
    ['does not mind case? It does', { 'if-none-match': '"ONE"' }, {}, false],
    ['is true if not changed since', { 'if-modified-since': CHANGED }, {}, true],
    ['is true if changed before', { 'if-modified-since': at(NOW) }, {}, true],
    ['is false if changed after', { 'if-modified-since': at(NOW - 101 * SECOND) }, {}, false],
    ['does not look at a date that is none', { 'if-modified-since': 'yesterday' }, {}, false],
    [
      'goes by Date where nothing says when it changed',
      { 'if-modified-since': at(NOW) },
      { lastModified: undefined },
      true,
    ],
    ['goes by Date, which is later', { 'if-modified-since': CHANGED }, { lastModified: undefined }, false],
    [
      'asks the tag alone where there are both, and it differs',
      { 'if-none-match': '"two"', 'if-modified-since': at(NOW) },
      {},
      false,
    ],
    [
      'asks the tag alone where there are both, and it is the same',
      { 'if-none-match': '"one"', 'if-modified-since': at(0) },
      {},
      true,
    ],
    ['is false for what is no success', { 'if-none-match': '"one"' }, { status: 404 }, false],
    ['is false for a redirection', { 'if-none-match': '*' }, { status: 301 }, false],
  ]
  for (const [title, fields, stored, expected] of table) {
    it(title, () => assert.equal(isNotModified(headerList(fields), { ...STORED, ...stored }, NOW), expected))
  }
})

describe('notModifiedHeaders (RFC 9110 §15.4.5)', () => {
  const all = {
    'cache-control': 'max-age=1',
    'content-location': '/y',
    date: at(NOW),
    etag: '"one"',
    expires: at(NOW),
    vary: 'accept',
  }
  const ofTheBody = { 'content-type': 'text/plain', 'content-length': '2', 'content-encoding': 'gzip' }

  it('keeps what a 304 must carry and leaves out what describes the body', () => {
    const sent = notModifiedHeaders(
      headerList({ ...all, ...ofTheBody, 'last-modified': CHANGED, 'x-own': '1' }),
    )
    assert.deepEqual(sent, headerList({ ...all, 'x-own': '1' }))
  })

  it('says when it changed where there is no tag', () => {
    const sent = notModifiedHeaders(headerList({ 'last-modified': CHANGED, ...ofTheBody }))
    assert.deepEqual(sent, ['last-modified', CHANGED])
  })
})

describe('forwardedHeaders', () => {
  const client = headerList({
    accept: '*/*',
    'if-none-match': '"mine"',
    'if-modified-since': at(0),
    'x-own': '1',
  })

  it("leaves out the client's condition", () => {
    assert.deepEqual(forwardedHeaders(client), ['accept', '*/*', 'x-own', '1'])
  })

  it('asks about the stale response, with all its validators (RFC 9111 §4.3.1)', () => {
    const ours = ['if-none-match', '"one"', 'if-modified-since', CHANGED]
    assert.deepEqual(forwardedHeaders(client, STORED), ['accept', '*/*', 'x-own', '1', ...ours])
  })

  it('asks without condition about what has no validator', () => {
    const bare = { ...STORED, etag: undefined, lastModified: undefined }
    assert.deepEqual(forwardedHeaders(client, bare), ['accept', '*/*', 'x-own', '1'])
  })
})
