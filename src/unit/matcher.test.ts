import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DEFAULT_MANIFEST, PHASE_BITS, type Manifest, type UnitVersion } from '../contract/unit.ts'
import { compileUnits, NOTHING_MATCHED } from './matcher.ts'

const unit = (
  name: string,
  manifest: Partial<Manifest> = {},
  phases: number = PHASE_BITS.access,
): UnitVersion => ({
  name,
  version: 1,
  code: '',
  sourceMap: '',
  phases,
  manifest: { ...DEFAULT_MANIFEST, ...manifest },
  env: {},
})
const NODE = { name: 'gru1', groups: ['sa-east'] }
const compile = (units: readonly UnitVersion[], node = NODE, enabled = true) =>
  compileUnits({ epoch: 1, enabled, units, lastGood: {} }, node)
const names = (units: readonly UnitVersion[]) => units.map((one) => one.name).join(' ')

/** The rule itself, without tables: what the matcher must agree with. */
function runs({ manifest }: UnitVersion, host: string, path: string, method: string): boolean {
  const isHost = (pattern: string) =>
    pattern === '*' ||
    pattern === host ||
    (pattern.startsWith('*.') && host.endsWith(pattern.slice(1)) && host.length > pattern.length - 1)
  const isPath = (pattern: string) =>
    pattern === '/*' || (pattern.endsWith('*') ? path.startsWith(pattern.slice(0, -1)) : path === pattern)
  const { hosts, paths, methods } = manifest
  return (
    (hosts.length === 0 || hosts.some(isHost)) &&
    (paths.length === 0 || paths.some(isPath)) &&
    (methods.length === 0 || methods.includes(method) || (method === 'HEAD' && methods.includes('GET')))
  )
}

const CASES: readonly (readonly [Partial<Manifest>, string, string, string, boolean])[] = [
  [{}, 'a.example', '/', 'GET', true],
  [{ hosts: ['*'] }, 'a.example', '/', 'GET', true],
  [{ hosts: ['a.example'] }, 'a.example', '/', 'GET', true],
  [{ hosts: ['a.example'] }, 'b.a.example', '/', 'GET', false],
  [{ hosts: ['*.a.example'] }, 'b.a.example', '/', 'GET', true],
  [{ hosts: ['*.a.example'] }, 'c.b.a.example', '/', 'GET', true],
  [{ hosts: ['*.a.example'] }, 'a.example', '/', 'GET', false],
  [{ hosts: ['*.a.example'] }, '.a.example', '/', 'GET', false],
  [{ hosts: ['*.a.example'] }, 'xa.example', '/', 'GET', false],
  [{ paths: ['/hls/*'] }, 'a.example', '/hls/x', 'GET', true],
  [{ paths: ['/hls/*'] }, 'a.example', '/hls/', 'GET', true],
  [{ paths: ['/hls/*'] }, 'a.example', '/hls', 'GET', false],
  [{ paths: ['/hls*'] }, 'a.example', '/hls', 'GET', true],
  [{ paths: ['/x'] }, 'a.example', '/x', 'GET', true],
  [{ paths: ['/hls/*'] }, 'a.example', '/%68ls//x', 'GET', true],
  [{ paths: ['/hls/*'] }, 'a.example', '/hls/../x', 'GET', false],
  [{ paths: ['/a%20b/*'] }, 'a.example', '/a b/%63'.replace(' ', '%20'), 'GET', true],
  [{ paths: ['/x'] }, 'a.example', '/x/', 'GET', false],
  [{ paths: ['/*'] }, 'a.example', '/', 'GET', true],
  [{ paths: ['/*'] }, 'a.example', '*', 'OPTIONS', true],
  [{ methods: ['GET', 'POST'] }, 'a.example', '/', 'POST', true],
  [{ methods: ['GET'] }, 'a.example', '/', 'HEAD', true],
]
for (const [manifest, host, path, method, expected] of CASES) {
  test(`${JSON.stringify(manifest)} ${expected ? 'runs' : 'does not run'} for ${method} ${host}${path}`, () => {
    assert.equal(!compile([unit('a', manifest)]).match(host, path, method).isEmpty, expected)
  })
}

test('units run by priority, higher first, then by name', () => {
  const units = [unit('b'), unit('z', { priority: 10 }), unit('a'), unit('m', { priority: -1 })]
  assert.equal(names(compile(units).match('h', '/', 'GET').units), 'z a b m')
})

test('a match is sorted by phase, and one unit makes the content', () => {
  const { rewrite, access, content, headerFilter, log } = compile([
    unit('all', {}, 31),
    unit('filter', { priority: 1 }, PHASE_BITS.headerFilter | PHASE_BITS.log),
    unit('page', { priority: 2 }, PHASE_BITS.content),
  ]).match('h', '/', 'GET')
  assert.deepEqual(
    [names(rewrite), names(access), content?.name, names(headerFilter), names(log)],
    ['all', 'all', 'page', 'filter all', 'filter all'],
  )
})

test('the same combination is the same object, whatever led to it', () => {
  const matcher = compile([
    unit('a', { hosts: ['a.example', 'b.example'] }),
    unit('b', { paths: ['/x', '/y/*'] }),
  ])
  assert.equal(matcher.match('a.example', '/x', 'GET'), matcher.match('b.example', '/y/1', 'POST'))
  assert.equal(matcher.match('c.example', '/', 'GET'), NOTHING_MATCHED)
})

test('a unit runs on the nodes that it names, alone or by group', () => {
  const units = [
    unit('here', { nodes: ['gru1'] }),
    unit('group', { nodes: ['x', 'group:sa-east'] }),
    unit('there', { nodes: ['fra1', 'group:eu'] }),
    unit('all'),
  ]
  assert.equal(names(compile(units).match('h', '/', 'GET').units), 'all group here')
  assert.equal(names(compile(units, { name: 'fra1', groups: [] }).match('h', '/', 'GET').units), 'all there')
})

test('while all units are switched off, nothing matches', () => {
  assert.equal(compile([unit('a')], NODE, false).match('h', '/', 'GET'), NOTHING_MATCHED)
})

test('the tables agree with the plain rule on thousands of combinations', () => {
  const hosts = ['a.example', '*.a.example', 'b.a.example', '*.b.a.example', '*.example', '*', 'c.example']
  const paths = ['/', '/*', '/hls/*', '/hls/live/*', '/hls/live/a', '/hls', '/hls*', '/x', '/hls/live']
  const methods = ['GET', 'HEAD', 'POST']
  // Every subset by the bits of a number that walks around: the same sets in every run.
  const some = (list: readonly string[], seed: number) =>
    list.filter((_, n) => ((seed * 2654435761) >>> (n + 7)) & 1)
  for (let set = 1; set <= 40; set++) {
    const units = Array.from({ length: 1 + (set % 9) }, (_, n) =>
      unit(`u${n}`, {
        hosts: some(hosts, set * 31 + n).slice(0, 2),
        paths: some(paths, set * 17 + n),
        methods: set % 3 === 0 ? some(methods, set + n) : [],
      }),
    )
    // Many prefixes take the other way of looking up.
    if (set % 5 === 0)
      units.push(unit('many', { paths: Array.from({ length: 40 }, (_, n) => `/p${n}${'q'.repeat(n)}/*`) }))
    const matcher = compile(units)
    for (const host of [
      'a.example',
      'b.a.example',
      'c.b.a.example',
      'c.example',
      'example',
      'other.test',
      '',
    ]) {
      for (const path of [
        '/',
        '/hls',
        '/hls/',
        '/hls/live',
        '/hls/live/a',
        '/hls/live/b',
        '/x',
        '/p2qq/z',
        '*',
        '',
      ]) {
        for (const method of ['GET', 'HEAD', 'DELETE']) {
          const expected = names(
            units
              .filter((one) => runs(one, host, path, method))
              .toSorted((a, b) => (a.name < b.name ? -1 : 1)),
          )
          assert.equal(
            names(matcher.match(host, path, method).units),
            expected,
            `set ${set}: ${method} ${host}${path}`,
          )
        }
      }
    }
  }
})

test('a thousand units with hosts and paths of their own compile in well under a second', () => {
  const units = Array.from({ length: 1000 }, (_, n) =>
    unit(`u${n}`, { hosts: [`h${n % 200}.example`, `*.w${n % 50}.example`], paths: [`/p${n}/*`, `/e${n}`] }),
  )
  // The best of some: on a shared core a try may take many times as long.
  let matcher = compile(units)
  let best = Infinity
  for (let tries = 0; tries < 8 && best >= 1000; tries += 1) {
    const before = process.threadCpuUsage()
    matcher = compile(units)
    const { user, system } = process.threadCpuUsage(before)
    best = Math.min(best, (user + system) / 1000)
  }
  assert.ok(best < 1000, `${best} ms`)
  assert.equal(names(matcher.match('h7.example', '/p207/x', 'GET').units), 'u207')
})
