/** What `tsig` takes in a Corefile, and what it refuses: CoreDNS's own table, and more. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { DnsName } from '../../../wire/dns/name.ts'
import { blockOf } from '../testing/block.ts'
import { itRefuses, itTakes } from '../testing/setup-table.ts'
import { keysOf } from './key-file.ts'
import tsig from './plugin.ts'

const folder = mkdtempSync(join(tmpdir(), 'orla-tsig-'))
after(() => rmSync(folder, { recursive: true }))
writeFileSync(
  join(folder, 'good.keys'),
  'key "name.key." { secret "test-key"; };\nkey "b" {\n algorithm hmac-sha512; secret "AAAA";\n};\n',
)
writeFileSync(join(folder, 'bad.keys'), 'key "name.key." {\n schmecret "x";\n};\n')

const SECRETS = 'secret name.key. test-key\nsecret name2.key. test-key-2\n'

itTakes(
  tsig,
  [
    `tsig {\n${SECRETS}}`,
    'tsig {\nsecrets good.keys\n}',
    `tsig example.com {\n${SECRETS}}`,
    `tsig {\n${SECRETS}require all\n}`,
    `tsig {\n${SECRETS}require none\n}`,
    `tsig {\n${SECRETS}require A AAAA\n}`,
    'tsig {\nsecret k. AAAA hmac-sha512.\n}',
    'tsig {\nsecret k. AAAA hmac-md5\n}',
    'tsig',
  ],
  folder,
)
itRefuses(
  tsig,
  [
    ['tsig {\nblah\n}', /:2 - .*unknown property 'blah'/],
    ['tsig {\nsecret name. too many parameters\n}', /:2 - .*secret takes NAME KEY/],
    ['tsig {\nsecret name. AAAA rot13\n}', /:2 - .*the algorithm rot13 is not known/],
    ['tsig {\nsecret name. ???\n}', /:2 - .*no base64/],
    ['tsig {\nsecret name. AAAA\nsecret NAME. BBBB\n}', /:3 - .*stands twice/],
    ['tsig {\nsecret a..b AAAA\n}', /:2 - .*empty label/],
    ['tsig {\nsecrets gone.keys\n}', /:2 - .*gone\.keys: ENOENT/],
    [
      'tsig {\nsecrets bad.keys\n}',
      /:2 - .*bad\.keys: line 2: expected algorithm, secret or "}", and found schmecret/,
    ],
    ['tsig {\nrequire\n}', /:2 - .*require takes types/],
    ['tsig {\nrequire invalid-qtype\n}', /:2 - .*unknown query type 'invalid-qtype'/],
    ['tsig\ntsig', /:2 - .*only be used once/],
  ],
  folder,
)

test('secrets are there for other plugins of the server block', async (t) => {
  const { setup } = await blockOf(t, `tsig {\n${SECRETS}}`, { plugins: [tsig] })
  assert.deepEqual(
    setup.settings.tsigSecrets.get(DnsName.parse('name.key').key),
    Buffer.from('test-key', 'base64'),
  )
})

test('a file of keys is read as named.conf has it, with comments', () => {
  const text = `# one\nkey foo { // two\n algorithm hmac-sha256; /* three\n */ secret "36eo";\n};\nkey "bar" { secret "X28h"; };`
  assert.deepEqual(keysOf(text), [
    { name: 'foo', secret: '36eo', algorithm: 'hmac-sha256' },
    { name: 'bar', secret: 'X28h', algorithm: undefined },
  ])
  const bad: readonly (readonly [text: string, message: RegExp])[] = [
    ['key {', /line 1: expected the name of a key, and found \{/],
    ['foo "key" {', /expected "key", and found foo/],
    ['key "foo" {\nsecret', /line 2: expected a secret, and found the end of the file/],
    ['key "foo" {\nsecret ;', /expected a secret, and found ;/],
    ['key "foo" {\n};', /the key "foo" has no secret/],
    ['key "foo', /a quote is not closed/],
    ['key "foo" { secret "AAAA"; }', /expected ";"/],
  ]
  for (const [text, message] of bad) assert.throws(() => keysOf(text), message, text)
})
