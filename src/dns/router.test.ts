import assert from 'node:assert/strict'
import { test } from 'node:test'
import { queryFor } from '../plugins/dns/testing/block.ts'
import { CLASS, RCODE } from '../wire/dns/codes.ts'
import { DnsName } from '../wire/dns/name.ts'
import type { ServerQuery } from './query.ts'
import { type RoutedBlock, Router } from './router.ts'

/** Answers nothing, and says on the query that it was asked. */
const block = (name: string, more: Partial<RoutedBlock> = {}): RoutedBlock => ({
  chain: (query) => {
    query.answeredBy = name
    return RCODE.SERVFAIL
  },
  view: '',
  filters: [],
  metadataProviders: [],
  metadataZones: undefined,
  isForAllClasses: false,
  ...more,
})

const routerOf = (...zones: readonly (string | readonly [string, RoutedBlock])[]): Router =>
  new Router(
    zones.map((given) => {
      const [zone, routed] = typeof given === 'string' ? [given, block(given)] : given
      return { zone: DnsName.parse(zone), block: routed }
    }),
  )

/** Who was asked, or the rcode. */
function askedOf(router: Router, name: string, type = 'A', more: { readonly class?: number } = {}): string {
  const query: ServerQuery = queryFor(name, type, more)
  const outcome = router.answer(query)
  return outcome === RCODE.REFUSED ? 'REFUSED' : `${query.answeredBy} ${query.zone}`
}

test('the longest zone that a name is in is asked', () => {
  const router = routerOf('example.org', 'org', 'a.b.example.org', 'example.net')
  const cases = [
    ['example.org', 'example.org example.org.'],
    ['WWW.Example.ORG', 'example.org example.org.'],
    ['b.example.org', 'example.org example.org.'],
    ['x.a.b.example.org', 'a.b.example.org a.b.example.org.'],
    ['badexample.org', 'org org.'],
    ['org', 'org org.'],
    ['net', 'REFUSED'],
    ['.', 'REFUSED'],
    ['example.com', 'REFUSED'],
  ] as const
  for (const [name, expected] of cases) assert.equal(askedOf(router, name), expected, name)
  assert.equal(askedOf(routerOf('.'), 'example.com'), '. .')
  assert.equal(askedOf(routerOf('.'), '.'), '. .')
  assert.equal(askedOf(routerOf(), 'example.com'), 'REFUSED')
})

test('the DS of a zone is asked of its parent, where both are served', () => {
  const both = routerOf('example.org', 'org', '.')
  assert.equal(askedOf(both, 'example.org', 'DS'), 'org org.')
  assert.equal(askedOf(both, 'www.example.org', 'DS'), 'example.org example.org.')
  assert.equal(askedOf(both, 'net', 'DS'), '. .')
  // The root is left out: what asks others would tell that our own zone does not exist.
  assert.equal(askedOf(routerOf('example.org', '.'), 'example.org', 'DS'), 'example.org example.org.')
  assert.equal(askedOf(routerOf('.'), '.', 'DS'), '. .')
})

test('among equal zones the first one whose filters hold is asked, and a shorter one where none do', () => {
  const fromIp = (ip: string) => (query: ServerQuery) => query.ip() === ip
  const router = routerOf(
    ['example.org', block('one', { filters: [fromIp('192.0.2.1')], view: 'inside' })],
    ['example.org', block('two', { filters: [fromIp('127.0.0.1'), () => true] })],
    ['example.org', block('three')],
    ['example.net', block('four', { filters: [() => false] })],
    ['net', block('five')],
  )
  assert.equal(askedOf(router, 'example.org'), 'two example.org.')
  assert.equal(askedOf(router, 'example.net'), 'five net.')
  const query = queryFor('example.org', 'A', { ip: '192.0.2.1' })
  void router.answer(query)
  assert.deepEqual([query.answeredBy, query.view], ['one', 'inside'])
})

test('other classes are taken only where a block is for them', () => {
  const asked = { class: CLASS.CH }
  assert.equal(askedOf(routerOf('.'), 'version.bind', 'TXT', asked), 'REFUSED')
  const router = routerOf(['.', block('chaos', { isForAllClasses: true })], 'example.org')
  assert.equal(askedOf(router, 'version.bind', 'TXT', asked), 'chaos .')
})

test('what filters ask for is noted before they are asked', () => {
  const provide = (query: ServerQuery) => void query.metadata.set('geo/country', () => 'BR')
  const filters = [(query: ServerQuery) => query.metadata.get('geo/country')?.() === 'BR']
  assert.equal(
    askedOf(
      routerOf(['.', block('br', { filters, metadataProviders: [provide], metadataZones: [DnsName.ROOT] })]),
      'a.',
    ),
    'br .',
  )
})
