/** What `file` takes in a Corefile, and what it refuses: the table of CoreDNS, and more. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { blockOf } from '../testing/block.ts'
import { zoneFolder, zoneText } from '../testing/zone-folder.ts'
import file from './plugin.ts'

const GOOD: readonly (readonly [string, readonly string[]])[] = [
  ['file db.miek.nl miek.nl.', ['miek.nl.']],
  ['file db.miek.nl', ['example.org.']],
  ['file db.miek.nl 10.0.0.0/8', ['10.in-addr.arpa.']],
  ['file db.miek.nl miek.nl dnssex.nl', ['miek.nl.', 'dnssex.nl.']],
  ['file db.miek.nl example.org. {\n reload 5s\n}', ['example.org.']],
  ['file db.miek.nl {\n reload 0\n upstream 8.8.8.8\n fallthrough\n reload_by_mtime\n}', ['example.org.']],
  ['file db.miek.nl a.example.org\nfile db.miek.nl b.example.org', ['a.example.org.', 'b.example.org.']],
  ['file not-there.db', ['example.org.']],
]
for (const [text, zones] of GOOD)
  test(`it takes: ${text.replaceAll('\n', ';')}`, async (t) => {
    const folder = zoneFolder(t)
    folder.write('db.miek.nl', zoneText(1))
    const block = await blockOf(t, text, { plugins: [file], folder: folder.path })
    const sources = block.setup.controllerFor('transfer', []).offers('zones')
    assert.deepEqual(
      sources.flatMap((source) => source.zones().map((zone) => zone.toString())),
      zones,
    )
  })

const BAD: readonly (readonly [string, RegExp])[] = [
  ['file', /Corefile:1 - plugin\/file: wrong argument count/],
  [
    'file db.miek.nl miek.nl {\n transfer from 127.0.0.1\n}',
    /Corefile:2 - plugin\/file: unknown property 'transfer'/,
  ],
  ['file db.miek.nl example.net. {\n no_reload\n}', /unknown property 'no_reload'/],
  ['file db.miek.nl example.net. {\n no_rebloat\n}', /unknown property 'no_rebloat'/],
  ['file db.miek.nl {\n reload\n}', /reload needs a time/],
  ['file db.miek.nl {\n reload 10\n}', /reload 10 is no time/],
  ['file db.miek.nl {\n reload -1s\n}', /less than nothing/],
  ['file not-there.db {\n reload 0\n}', /ENOENT.*not-there\.db/],
  ['file db.broken', /Corefile:1 - plugin\/file: .*db\.broken:6/],
  ['file db.twice', /db\.twice:6.*two SOA records/],
  ['file db.no-soa', /the zone has no SOA record: expected one at example\.org\./],
  ['file db.outside', /db\.outside:6.*www\.example\.com\. is outside of the zone example\.org\./],
  ['file db.cname', /db\.cname:6.*www\.example\.org\. has a CNAME and other data/],
  ['file db.cnames', /db\.cnames:7.*a\.example\.org\. has two CNAME records/],
  ['file .', /EISDIR|directory/],
]
for (const [text, error] of BAD)
  test(`it refuses: ${text.replaceAll('\n', ';')}`, async (t) => {
    const folder = zoneFolder(t)
    folder.write('db.miek.nl', zoneText(1))
    folder.write('db.broken', zoneText(1, '\nwww 300 IN A 192.0.2.256.1'))
    folder.write('db.twice', zoneText(1, '\n@ 300 IN SOA ns1 hostmaster 2 7200 3600 1209600 60'))
    folder.write('db.no-soa', 'www 300 IN A 192.0.2.1\n')
    folder.write('db.outside', `${zoneText(1).trimEnd()}\n\nwww.example.com. 300 IN A 192.0.2.1\n`)
    folder.write('db.cname', zoneText(1, '\nwww 300 IN CNAME ns1'))
    folder.write('db.cnames', zoneText(1, '\na 300 IN CNAME ns1\na 300 IN CNAME www'))
    await assert.rejects(blockOf(t, text, { plugins: [file], folder: folder.path }), error)
  })
