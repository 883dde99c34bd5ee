import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkConfig } from '../config/check.ts'
import type { SiteInput } from '../config/schema.ts'
import { siteName } from '../config/site-name.ts'
import { SiteTable, type Site } from './sites.ts'

/** Of a site the table reads no more than what it is configured with. */
function tableOf(...inputs: readonly Omit<SiteInput, 'origin'>[]): SiteTable {
  const result = checkConfig({ sites: inputs.map((input) => ({ ...input, origin: 'http://127.0.0.1:9' })) })
  assert.equal(result.kind, 'config', JSON.stringify(result))
  return new SiteTable(result.config.sites, (config) => ({ name: siteName(config), config }) as Site)
}

const table = tableOf(
  { hosts: ['tv.example.org'] },
  { name: 'api', hosts: ['tv.example.org', '*.example.org'], paths: ['/api/*', '/%6Cogin'] },
  { name: 'admin', hosts: ['tv.example.org'], paths: ['/api/admin/*'] },
  { name: 'one', hosts: ['tv.example.org'], paths: ['/api/admin/one'] },
  { name: 'part', hosts: ['part.example.org'], paths: ['/part/*'] },
  { name: 'wild', hosts: ['*.example.org'] },
  { name: 'files', hosts: ['*'], paths: ['/files/*'] },
)

for (const [host, path, expected] of [
  ['tv.example.org', '/', 'tv.example.org'],
  ['tv.example.org', '/api', 'tv.example.org'],
  ['tv.example.org', '/api/', 'api'],
  ['tv.example.org', '/api/x', 'api'],
  ['tv.example.org', '/login', 'api'],
  ['tv.example.org', '/login/', 'tv.example.org'],
  ['tv.example.org', '/api/admin/x', 'admin'],
  ['tv.example.org', '/api/admin/one', 'one'],
  ['tv.example.org', '*', 'tv.example.org'],
  // A site that has all paths of the host leaves none to the hosts above.
  ['tv.example.org', '/files/x', 'tv.example.org'],
  // Whatever the origin would take for the path, and not how it is written.
  ['tv.example.org', '/api/../x', 'tv.example.org'],
  ['tv.example.org', '/x/../api/y', 'api'],
  ['tv.example.org', '/%61pi/x', 'api'],
  ['tv.example.org', '/api%2Fx', 'api'],
  ['tv.example.org', '/api%2f%2e%2e%2fx', 'tv.example.org'],
  ['tv.example.org', '//api//x', 'api'],
  ['tv.example.org', '/api/x/..%2Fadmin/y', 'admin'],
  // What no site of the closest host has falls to the next one.
  ['part.example.org', '/part/x', 'part'],
  ['part.example.org', '/api/x', 'api'],
  ['part.example.org', '/x', 'wild'],
  ['a.b.example.org', '/x', 'wild'],
  ['example.com', '/files/x', 'files'],
  ['example.com', '/x', undefined],
  ['example.com', '*', undefined],
] as const) {
  test(`${host}${path} is of ${expected ?? 'no site'}`, () => {
    assert.equal(table.find(host, path)?.name, expected)
  })
}
