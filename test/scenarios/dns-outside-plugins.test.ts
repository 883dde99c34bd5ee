import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { rdataText } from '../../src/wire/dns/rdata-text.ts'
import type { DnsMessage } from '../../src/wire/dns/message.ts'
import { eventually } from '../harness/eventually.ts'
import { composeDns } from '../../src/compose-dns.ts'
import { orla } from '../harness/command.ts'
import { folderOf, startDns } from '../harness/orla-dns.ts'

const EXAMPLE = fileURLToPath(new URL('../../examples/dns/foo', import.meta.url))
const exampleFile = (name: string): string => readFileSync(`${EXAMPLE}/${name}`, 'utf8')

const answersOf = ({ answer }: DnsMessage): string[] =>
  answer.map(({ type, rdata }) => rdataText(type, rdata))

/** A plugin that answers TXT with what it is told, in the place of `shown`. */
const says = (what: string): string => `
  import { record, type DnsPlugin } from 'orla/dns'
  import { suffix } from './suffix.ts'
  export default {
    name: 'says',
    setup: () => ({
      handle(query, next) {
        if (query.type() !== 'TXT') return next(query)
        const answer = query.reply()
        answer.answer.push(record(query.qname, 'TXT', 60, '"${what}' + suffix + '"'))
        return answer
      },
    }),
  } satisfies DnsPlugin
`

/** What is wrong in a Corefile; empty where nothing is. */
async function checkText(text: string, folder: string): Promise<string> {
  const read = async () => ({ text, file: 'stdin', folder })
  const { plane } = composeDns({ read, env: {}, log: () => undefined })
  return await plane.check().then(
    () => '',
    (error: Error) => error.message,
  )
}

test('the tutorial plugin answers A 1.1.1.1 with AA and without RA for every name', async (t) => {
  const corefile = exampleFile('Corefile').replace('.:5300', '.:0')
  const dns = await startDns(t, { Corefile: corefile, 'foo.ts': exampleFile('foo.ts') })
  for (const name of ['example.org', 'WWW.Example.NET', '.']) {
    const answer = await dns.ask(name)
    assert.deepEqual(answersOf(answer), ['1.1.1.1'])
    assert.deepEqual([answer.isAuthoritative, answer.isRecursionAvailable, answer.rcode], [true, false, 0])
    assert.equal(answer.answer[0]!.name.wire, answer.question[0]!.name.wire)
  }
  assert.match(dns.stderr(), /^\[INFO\] plugin\/foo: answers everything with 1\.1\.1\.1$/m)
  dns.kill('SIGTERM')
  assert.deepEqual(await dns.ended, { code: 0, signal: null })
})

test('without its argument the server does not start, and says where and why', async (t) => {
  const refused = (corefile: string) =>
    orla(['dns'], { cwd: folderOf(t, { Corefile: corefile, 'foo.ts': exampleFile('foo.ts') }) })
  const missing = await refused('plugin foo ./foo.ts\n.:0 {\n  foo\n}\n')
  assert.deepEqual([missing.code, missing.stdout], [1, ''])
  assert.match(missing.stderr, /^Corefile:3 - plugin\/foo: its argument is missing: expected "foo bar"/)
  const wrong = await refused('plugin foo ./foo.ts\n.:0 {\n  foo baz\n}\n')
  assert.match(wrong.stderr, /^Corefile:3 - plugin\/foo: expected "foo bar" and nothing else/)
})

test('a plugin from outside stands where its line says, and a change of it or its imports is loaded by SIGHUP', async (t) => {
  const dns = await startDns(t, {
    Corefile:
      '.:0 {\n  plugin says ./plugins/says.ts before hosts\n  says\n  hosts {\n    192.0.2.1 a.example\n  }\n}\n',
    'plugins/says.ts': says('first'),
    'plugins/suffix.ts': "export const suffix = '!'",
  })
  assert.deepEqual(answersOf(await dns.ask('a.example', 'TXT')), ['"first!"'])
  assert.deepEqual(answersOf(await dns.ask('a.example', 'A')), ['192.0.2.1'])
  const becomes = async (text: string) => {
    dns.kill('SIGHUP')
    await eventually(async () => answersOf(await dns.ask('a.example', 'TXT')).join() === text)
  }
  dns.write('plugins/says.ts', says('second'))
  await becomes('"second!"')
  dns.write('plugins/suffix.ts', "export const suffix = '?'")
  await becomes('"second?"')
  // What cannot be loaded changes nothing.
  dns.write('plugins/says.ts', 'export default {')
  dns.kill('SIGHUP')
  const refused = /reload failed: .*plugin\/says: \.\/plugins\/says\.ts cannot be loaded/
  await eventually(() => refused.test(dns.stderr()))
  assert.deepEqual(answersOf(await dns.ask('a.example', 'TXT')), ['"second?"'])
})

test('a plugin may come from a package', async (t) => {
  const dns = await startDns(t, {
    Corefile: 'plugin fixed dns-fixed\n.:0 {\n  fixed\n}\n',
    'node_modules/dns-fixed/package.json': '{"name":"dns-fixed","type":"module","exports":"./main.js"}',
    'node_modules/dns-fixed/main.js':
      "import { REFUSED } from 'orla/dns'\nexport default { name: 'fixed', setup: () => ({ handle: (query) => query.name() === 'no.' ? REFUSED : query.reply(3) }) }",
  })
  assert.equal((await dns.ask('a.example')).rcode, 3)
  assert.equal((await dns.ask('no')).rcode, 5)
})

test('one that stands before acl is warned of', async (t) => {
  const dns = await startDns(t, {
    Corefile: 'plugin foo ./foo.ts before acl\n.:0 {\n  foo bar\n  acl {\n    block\n  }\n}\n',
    'foo.ts': exampleFile('foo.ts'),
  })
  assert.match(dns.stderr(), /^\[WARN\] \.:0: the plugin foo stands before acl/m)
})

test('a plugin that is none is an error that says what would be right', async (t) => {
  const folder = folderOf(t, {
    'none.ts': 'export const plugin = 1',
    'number.ts': 'export default 7',
    'other.ts': "export default { name: 'other', setup() {} }",
    'setup.ts': "export default { name: 'foo' }",
    'throws.ts': "throw new Error('no database')",
    'syntax.ts': 'export default { name: ',
    'handler.ts': "export default { name: 'foo', setup: () => 7 }",
    'setup-throws.ts': "export default { name: 'foo', setup() { throw new Error('no key') } }",
    'good.ts': "export default { name: 'foo', setup() {} }",
  })
  const cases: readonly (readonly [line: string, message: RegExp])[] = [
    [
      'plugin foo ./none.ts',
      /^stdin:1 - plugin\/foo: \.\/none\.ts has no default export: expected `export default \{ name: 'foo'/,
    ],
    ['plugin foo ./number.ts', /the default export of \.\/number\.ts is a number/],
    ['plugin foo ./other.ts', /\.\/other\.ts says that its name is "other": expected "foo"/],
    ['plugin foo ./setup.ts', /the plugin in \.\/setup\.ts has no setup/],
    ['plugin foo ./throws.ts', /\.\/throws\.ts cannot be loaded: Error: no database\n +at .*throws\.ts:1/],
    ['plugin foo ./syntax.ts', /\.\/syntax\.ts cannot be loaded/],
    ['plugin foo ./gone.ts', /\.\/gone\.ts cannot be loaded: .*Cannot find module/],
    ['plugin foo no-such-package', /no-such-package cannot be loaded: .*Cannot find package/],
    ['plugin foo ./handler.ts', /^stdin:3 - plugin\/foo: its setup returned no handler/],
    ['plugin foo ./setup-throws.ts', /^stdin:3 - plugin\/foo: no key/],
    ['plugin foo ./good.ts before cahce', /^stdin:1 - no plugin is named cahce; did you mean cache\?/],
    ['plugin foo ./good.ts beside cache', /^stdin:1 - "beside" is no place: expected before or after/],
    ['plugin foo ./good.ts before', /^stdin:1 - a plugin from outside is named by "plugin NAME FILE/],
    ['plugin cache ./good.ts', /^stdin:1 - a plugin that is built in is named cache/],
    ['plugin foo ./good.ts\nplugin foo ./other.ts', /^stdin:2 - the plugin foo was named before, in line 1/],
    ['plugin f! ./good.ts', /^stdin:1 - f! is no name of a plugin/],
  ]
  for (const [line, message] of cases) {
    const checked = await checkText(`${line}\n.:0 {\n  foo\n}\n`, folder)
    assert.match(checked, message, line)
  }
  assert.equal(await checkText('plugin foo ./good.ts\n.:0 {\n  foo\n}\n', folder), '')
})
