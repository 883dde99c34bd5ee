import assert from 'node:assert/strict'
import { test } from 'node:test'
import { outside, sitesMet } from './scope.ts'

const ALL = ['/*']
const SITES = [
  { name: 'tv', hosts: ['tv.example.org'], paths: ALL },
  { name: 'all', hosts: ['*.example.org'], paths: ALL },
  { name: 'deep', hosts: ['*.deep.example.net', 'x.deep.example.net'], paths: ALL },
  { name: 'rest', hosts: ['*'], paths: ALL },
]

for (const [mine, hosts, expected] of [
  [['tv'], ['tv.example.org'], undefined],
  [['tv'], ['TV.example.org.'], undefined],
  [['tv'], ['tv.example.org', 'a.example.org'], 'a.example.org'],
  [['tv'], [], '*'],
  [['tv'], ['*'], '*'],
  [['tv'], ['*.example.org'], '*.example.org'],
  [['tv'], ['*.tv.example.org'], '*.tv.example.org'],
  [['all'], ['a.example.org'], undefined],
  [['all'], ['a.b.example.org'], undefined],
  // That one belongs to another site, and a pattern would reach it.
  [['all'], ['tv.example.org'], 'tv.example.org'],
  [['all'], ['*.example.org'], '*.example.org'],
  [['all', 'tv'], ['*.example.org', 'tv.example.org'], undefined],
  [['all'], ['*.a.example.org'], undefined],
  [['all'], ['example.org'], 'example.org'],
  [['all'], ['*.org'], '*.org'],
  [['deep'], ['*.deep.example.net'], undefined],
  [['deep'], ['x.deep.example.net'], undefined],
  [['rest'], ['elsewhere.example.com'], undefined],
  [['rest'], ['*'], '*'],
  [['rest'], ['*.example.com'], undefined],
  [['rest'], ['*.example.net'], '*.example.net'],
  [['tv', 'all', 'deep', 'rest'], [], undefined],
  [['gone'], ['tv.example.org'], 'tv.example.org'],
  [[], [], '*'],
] as const) {
  test(`with ${mine.join('+') || 'nothing'}, of [${hosts.join(', ')}] ${expected ?? 'nothing'} is outside`, () => {
    assert.equal(outside({ hosts, paths: [] }, mine, SITES), expected)
  })
}

const SHARED = [
  { name: 'api', hosts: ['tv.example.org'], paths: ['/api/*', '/login'] },
  { name: 'admin', hosts: ['tv.example.org'], paths: ['/api/admin/*'] },
  { name: 'tv', hosts: ['tv.example.org'], paths: ALL },
  { name: 'part', hosts: ['part.example.org'], paths: ['/a/*'] },
  { name: 'files', hosts: ['*.example.org'], paths: ['/files/*'] },
  { name: 'rest', hosts: ['*'], paths: ALL },
]

for (const [mine, host, paths, expected] of [
  [['api'], 'tv.example.org', [], 'tv.example.org'],
  [['api'], 'tv.example.org', ['/api/v1/*'], undefined],
  [['api'], 'tv.example.org', ['/api/v1/*', '/login', '/%6cogin'], undefined],
  [['api'], 'tv.example.org', ['/login/x'], 'tv.example.org/login/x'],
  // Another site has a part of these.
  [['api'], 'tv.example.org', ['/api/*'], 'tv.example.org/api/*'],
  [['api', 'admin'], 'tv.example.org', ['/api/*'], undefined],
  [['api'], 'tv.example.org', ['/api/admin/x'], 'tv.example.org/api/admin/x'],
  [['admin'], 'tv.example.org', ['/api/admin/x'], undefined],
  [['tv'], 'tv.example.org', ['/'], undefined],
  [['tv'], 'tv.example.org', [], 'tv.example.org'],
  [['tv', 'api', 'admin'], 'tv.example.org', [], undefined],
  [['tv'], 'tv.example.org', ['/x/*'], undefined],
  // Paths that no site of the host has fall to the hosts above.
  [['part'], 'part.example.org', [], 'part.example.org'],
  [['part'], 'part.example.org', ['/a/b'], undefined],
  [['part'], 'part.example.org', ['/files/b'], 'part.example.org/files/b'],
  [['files'], 'part.example.org', ['/files/b'], undefined],
  [['part', 'files', 'rest'], 'part.example.org', [], undefined],
  [['part', 'rest'], 'part.example.org', [], 'part.example.org'],
  // `tv` has that path of one of the hosts.
  [['files'], '*.example.org', ['/files/*'], '*.example.org/files/*'],
  [['files', 'tv'], '*.example.org', ['/files/*'], undefined],
  [['files'], '*.part.example.org', ['/files/*'], undefined],
  [['rest'], '*', ['/x'], '*/x'],
  [['rest'], 'elsewhere.example.com', ['/x'], undefined],
] as const) {
  test(`with ${mine.join('+')}, of ${host} [${paths.join(', ')}] ${expected ?? 'nothing'} is outside`, () => {
    assert.equal(outside({ hosts: [host], paths }, mine, SHARED), expected)
  })
}

for (const [hosts, paths, expected] of [
  [['tv.example.org'], [], ['api', 'admin', 'tv']],
  [['tv.example.org'], ['/login'], ['api']],
  [['tv.example.org'], ['/api/admin/*'], ['admin']],
  [['tv.example.org'], ['/api/*'], ['api', 'admin']],
  [['tv.example.org'], ['/web/*'], ['tv']],
  // What the closest host does not have falls to the next one.
  [['part.example.org'], ['/files/x'], ['files']],
  [['part.example.org'], [], ['part', 'files', 'rest']],
  [['*.example.org'], ['/files/*'], ['tv', 'files']],
  [['elsewhere.example.net'], [], ['rest']],
  [[], [], ['api', 'admin', 'tv', 'part', 'files', 'rest']],
] as const) {
  test(`[${hosts.join(', ')}] with [${paths.join(', ')}] meets ${expected.join(', ')}`, () => {
    assert.deepEqual(sitesMet({ hosts, paths }, SHARED), expected)
  })
}
