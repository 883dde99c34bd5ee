import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseCacheControl, type CacheControl } from './cache-control.ts'
import { SECONDS_MAX } from './text.ts'

/** What was said: directives that are set, and nothing else. */
function said(text: string): Partial<CacheControl> {
  const entries = Object.entries(parseCacheControl(text))
  return Object.fromEntries(
    entries.filter(([, value]) => value !== false && value !== undefined && !isEmpty(value)),
  )
}

const isEmpty = (value: unknown): boolean => Array.isArray(value) && value.length === 0

describe('parseCacheControl', () => {
  const table: [title: string, text: string, expected: Partial<CacheControl>][] = [
    ['reads nothing out of nothing', '', {}],
    ['reads a list', 'public, max-age=60', { public: true, maxAge: 60 }],
    ['needs no space after a comma, and takes tabs', 'public,\tmax-age=60', { public: true, maxAge: 60 }],
    ['does not mind case', 'Public, MAX-AGE=60, No-Store', { public: true, maxAge: 60, noStore: true }],
    ['passes over empty members', ', ,no-cache,,', { noCache: true }],
    ['passes over what it does not know', 'immutable, x="no-store", y=1, no-cache', { noCache: true }],
    ['takes a quoted number (RFC 9111 §5.2)', 'max-age="60"', { maxAge: 60 }],
    ['takes escapes in a quoted string', 'max-age="6\\0"', { maxAge: 60 }],
    ['tells quoted commas from those of the list', 'x="a, no-store, b", max-age=1', { maxAge: 1 }],
    ['does not take a name for part of another', 'xno-store, no-storex, max-age=1', { maxAge: 1 }],
    [
      'knows the directives of requests',
      'max-stale=5, min-fresh=6, only-if-cached',
      { maxStale: 5, minFresh: 6, onlyIfCached: true },
    ],
    ['takes max-stale without a value for any', 'max-stale', { maxStale: SECONDS_MAX }],
    ['clamps what is larger than 2³¹', 'max-age=99999999999999999999', { maxAge: SECONDS_MAX }],
    // RFC 9111 §5.2.2.4 and §5.2.2.7: what names fields speaks of these; what cannot be done without them, of all.
    ['reads no-cache of fields', 'no-cache="Set-Cookie"', { withheld: ['set-cookie'] }],
    ['reads private of fields', 'private="x, Y", max-age=60', { withheld: ['x', 'y'], maxAge: 60 }],
    ['adds them up', 'no-cache="a", private="b,c"', { withheld: ['a', 'b', 'c'] }],
    [
      'hears no-cache without fields beside one with',
      'no-cache="a", no-cache',
      { withheld: ['a'], noCache: true },
    ],
    ['takes names without quotes for all', 'no-cache=a, private=true', { noCache: true, private: true }],
    ['takes no name at all for all', 'no-cache="", private=" , "', { noCache: true, private: true }],
    ['takes what is no name for all', 'no-cache="a b"', { noCache: true }],
    ['takes an unclosed list for all', 'private="x', { private: true }],
    ['takes names in a broken directive for all', 'private="x" y', { private: true }],
    ['takes fields that the body is read by for all', 'no-cache="x, content-encoding"', { noCache: true }],
    // RFC 5861.
    [
      'reads how long a stale answer may be used',
      'stale-while-revalidate=5, stale-if-error="6"',
      { staleWhileRevalidate: 5, staleIfError: 6 },
    ],
    [
      'takes the shorter of two, and a broken one for none',
      'stale-while-revalidate=9, stale-while-revalidate=5, stale-if-error',
      { staleWhileRevalidate: 5, staleIfError: 0 },
    ],
    // Broken lifetimes.
    ['takes a lifetime of words for 0', 'max-age=soon', { maxAge: 0 }],
    ['takes a negative lifetime for 0', 'max-age=-60', { maxAge: 0 }],
    ['takes a fraction for 0', 'max-age=1.5', { maxAge: 0 }],
    ['takes an empty lifetime for 0', 'max-age=', { maxAge: 0 }],
    ['takes a lifetime without value for 0', 'max-age', { maxAge: 0 }],
    ['takes a lifetime with a space before = for 0', 'max-age =60', { maxAge: 0 }],
    ['takes a lifetime with a space after = for 0', 'max-age= 60', { maxAge: 0 }],
    ['takes the shorter of two lifetimes', 'max-age=60, max-age=10, max-age=100', { maxAge: 10 }],
    ['takes the shorter of two shared lifetimes', 's-maxage=5, s-maxage=50', { sMaxAge: 5 }],
    ['takes a broken max-stale for none', 'max-stale=x', { maxStale: 0 }],
    ['takes a broken min-fresh for ever', 'min-fresh=x', { minFresh: SECONDS_MAX }],
    // What restricts is heard even out of a broken field, what permits is not.
    ['hears what follows a semicolon', 'private; max-age=60', { private: true, maxAge: 60 }],
    ['does not trust a lifetime before a semicolon', 'max-age=60; no-store', { maxAge: 0, noStore: true }],
    ['hears words that only a space separates', 'no-cache no-store', { noCache: true, noStore: true }],
    ['hears what an unclosed quote swallows', 'max-age="60, no-store', { maxAge: 0, noStore: true }],
    ['hears no-store with a value', 'no-store=1, private=x', { noStore: true, private: true }],
    ['does not hear public with a value', 'public=1', {}],
    ['does not hear public in a broken field', 'public; x', {}],
    [
      'takes must-revalidate with a value for its weaker sister',
      'must-revalidate=1',
      { proxyRevalidate: true },
    ],
    [
      'does not choke on bytes beyond ASCII',
      'no-store\u00e9, \u00ff, no-cache',
      { noStore: true, noCache: true },
    ],
  ]
  for (const [title, text, expected] of table) {
    it(title, () => assert.deepEqual(said(text), expected))
  }

  it('gives the same answer when asked again, and after many other values', () => {
    const first = parseCacheControl('max-age=1, x=first')
    for (let i = 0; i < 500; i++) assert.equal(parseCacheControl(`max-age=${i}`).maxAge, i)
    assert.deepEqual(parseCacheControl('max-age=1, x=first'), first)
  })
})
