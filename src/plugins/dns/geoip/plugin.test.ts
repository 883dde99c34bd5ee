/** `geoip` in a Corefile, and what it tells. The cases are those of CoreDNS, and more. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { mmdbOf, mmdbWith } from '../../../../test/harness/mmdb.ts'
import type { DnsPlugin } from '../../../contract/dns.ts'
import { readPrefix, type IpPrefix } from '../../../base/ip-prefix.ts'
import { clientSubnetFor } from '../../../wire/dns/client-subnet.ts'
import { blockOf } from '../testing/block.ts'
import metadata from '../metadata/plugin.ts'
import geoip from './plugin.ts'

const CAMBRIDGE = {
  city: { names: { en: 'Cambridge', es: 'Cambridge' } },
  country: { iso_code: 'GB', names: { en: 'United Kingdom' }, is_in_european_union: true },
  continent: { code: 'EU', names: { en: 'Europe' } },
  subdivisions: [{ iso_code: 'ENG' }, { iso_code: 'CAM' }],
  location: { latitude: 52.2242, longitude: 0.1315, time_zone: 'Europe/London' },
  postal: { code: 'CB4' },
}
const folder = mkdtempSync(join(tmpdir(), 'geoip-'))
test.after(() => rmSync(folder, { recursive: true }))
const file = (name: string, bytes: Buffer) => writeFileSync(join(folder, name), bytes)
for (const type of ['GeoLite2-City', 'GeoIP2-Enterprise', 'GeoLite2-Country', 'GeoIP2-ISP', 'UnknownDbType'])
  file(`${type}.mmdb`, mmdbWith([['81.2.69.0/24', CAMBRIDGE]], type))
file('GeoLite2-ASN.mmdb', mmdbOf({ '81.2.69.0/24': 64_500 }))
file('broken.mmdb', Buffer.from('this is none'))

for (const text of [
  'geoip GeoLite2-City.mmdb',
  'geoip GeoIP2-Enterprise.mmdb',
  'geoip GeoLite2-Country.mmdb',
  'geoip GeoLite2-ASN.mmdb',
  'geoip GeoLite2-City.mmdb {\n edns-subnet\n}',
])
  test(`it takes: ${text.replaceAll('\n', ';')}`, async (t) => {
    await blockOf(t, text, { plugins: [geoip], folder })
  })

for (const [text, message] of [
  ['geoip', /Wrong argument count/],
  [
    'geoip GeoLite2-City.mmdb\ngeoip GeoLite2-Country.mmdb',
    /configuring multiple databases is not supported/,
  ],
  ['geoip 1 2 3', /Wrong argument count/],
  ['geoip GeoLite2-City.mmdb {\n languages en\n}', /Corefile:2 - .*unknown property "languages"/],
  ['geoip GeoLite2-City.mmdb {\n edns-subnet on\n}', /takes no argument/],
  ['geoip missing.mmdb', /failed to open database file: .*ENOENT/],
  ['geoip broken.mmdb', /failed to open database file: broken\.mmdb: it has no metadata/],
  ['geoip UnknownDbType.mmdb', /reader does not support the "UnknownDbType" database type/],
  ['geoip GeoIP2-ISP.mmdb', /does not provide city schema/],
] as const)
  test(`it refuses: ${text.replaceAll('\n', ';')}`, async (t) => {
    await assert.rejects(blockOf(t, text, { plugins: [geoip], folder }), message)
  })

/** Keeps what was told. */
function listener() {
  const seen: Record<string, string>[] = []
  const plugin: DnsPlugin = {
    name: 'listener',
    setup: () => ({
      handle: (query) => {
        seen.push(Object.fromEntries([...query.metadata].map(([label, value]) => [label, value()])))
        return query.reply()
      },
    }),
  }
  return { seen, plugin }
}

test('what the table knows of a client is told', async (t) => {
  const { seen, plugin } = listener()
  const block = await blockOf(t, 'metadata\ngeoip GeoLite2-City.mmdb\nlistener', {
    plugins: [metadata, geoip, plugin],
    folder,
  })
  await block.ask('a.example.org', 'A', { ip: '81.2.69.142' })
  assert.deepEqual(seen[0], {
    'geoip/city/name': 'Cambridge',
    'geoip/country/code': 'GB',
    'geoip/country/name': 'United Kingdom',
    'geoip/country/is_in_european_union': 'true',
    'geoip/continent/code': 'EU',
    'geoip/continent/name': 'Europe',
    'geoip/subdivisions/code': 'ENG,CAM',
    'geoip/latitude': '52.2242',
    'geoip/longitude': '0.1315',
    'geoip/timezone': 'Europe/London',
    'geoip/postalcode': 'CB4',
  })
  await block.ask('a.example.org', 'A', { ip: '9.9.9.9' })
  assert.equal(seen[1]!['geoip/country/code'], '')
  assert.equal(seen[1]!['geoip/latitude'], '0')
})

test('the network of a client is told', async (t) => {
  const { seen, plugin } = listener()
  const block = await blockOf(t, 'metadata\ngeoip GeoLite2-ASN.mmdb\nlistener', {
    plugins: [metadata, geoip, plugin],
    folder,
  })
  await block.ask('a.example.org', 'A', { ip: '81.2.69.142' })
  assert.deepEqual(seen[0], { 'geoip/asn/number': '64500', 'geoip/asn/org': 'AS 64500' })
})

test('a client subnet counts where that is asked for', async (t) => {
  const edns = { options: [clientSubnetFor(readPrefix('81.2.69.0/24') as IpPrefix)] }
  const codeWith = async (block: string, options = edns) => {
    const { seen, plugin } = listener()
    const text = `metadata\ngeoip GeoLite2-City.mmdb${block}\nlistener`
    const { ask } = await blockOf(t, text, { plugins: [metadata, geoip, plugin], folder })
    await ask('a.example.org', 'A', { ip: '9.9.9.9', edns: options })
    return seen[0]!['geoip/country/code']
  }
  assert.equal(await codeWith(' {\n edns-subnet\n}'), 'GB')
  assert.equal(await codeWith(''), '')
  const malformed = { options: [{ code: 8, data: Buffer.from([0, 1, 24]) }] }
  assert.equal(await codeWith(' {\n edns-subnet\n}', malformed), '')
})
