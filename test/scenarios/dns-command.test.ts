import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { orla } from '../harness/command.ts'
import { folderOf, startDns } from '../harness/orla-dns.ts'

const HOSTS = '.:0 {\n  hosts {\n    192.0.2.1 a.example\n  }\n}\n'

test('orla dns says where it serves, and ends with 0 when it is told to', async (t) => {
  const dns = await startDns(t, { Corefile: HOSTS })
  assert.match(dns.stdout(), /^ready dns=dns:\/\/\[::\]:\d+\n$/)
  assert.equal((await dns.ask('a.example')).answer.length, 1)
  dns.kill('SIGINT')
  assert.deepEqual(await dns.ended, { code: 0, signal: null })
})

test('the file that --pidfile names has the process, for as long as it serves', async (t) => {
  const folder = folderOf(t, {})
  const path = join(folder, 'dns.pid')
  const dns = await startDns(t, { Corefile: HOSTS }, ['--pidfile', path])
  assert.equal(readFileSync(path, 'utf8'), `${dns.pid}\n`)
  dns.kill('SIGTERM')
  await dns.ended
  assert.equal(existsSync(path), false)
  const cwd = folderOf(t, { Corefile: HOSTS })
  const refused = await orla(['dns', '--pidfile', 'gone/dns.pid'], { cwd })
  assert.equal(refused.code, 1)
  assert.match(refused.stderr, /^orla: gone\/dns\.pid: ENOENT/)
})

test('paths begin where the Corefile lies, wherever the server was started', async (t) => {
  const files = {
    'zones/Corefile': '.:0 {\n  hosts names.txt\n  import more.conf\n}\n',
    'zones/names.txt': '192.0.2.1 a.example\n',
    'zones/more.conf': 'errors\n',
  }
  const dns = await startDns(t, files, ['--conf', 'zones/Corefile'])
  assert.equal((await dns.ask('a.example')).answer.length, 1)
})

test('what is wrong ends it with 1 and a message, and --check opens nothing', async (t) => {
  const taken = await startDns(t, { Corefile: HOSTS })
  const cwd = folderOf(t, { good: HOSTS, bad: '. {\n  cahce\n}\n', taken: `.:${taken.port} {\n}\n` })
  const cases: readonly (readonly [argv: string[], code: number, stdout: RegExp, stderr: RegExp])[] = [
    [['--conf', 'good', '--check'], 0, /^good is right\n$/, /^$/],
    [['--conf', 'taken', '--check'], 0, /^taken is right\n$/, /^$/],
    [['--conf', 'bad', '--check'], 1, /^$/, /^bad:2 - Unknown directive 'cahce'; did you mean cache\?\n$/],
    [['--conf', 'bad'], 1, /^$/, /^bad:2 - Unknown directive/],
    [['--conf', 'taken'], 1, /^$/, /^\*:\d+ is taken by pid \d+ \(.*\n$/],
    [['--conf', 'gone'], 1, /^$/, /^orla: gone: ENOENT/],
    [[], 1, /^$/, /^orla: Corefile: ENOENT/],
    [['--port', 'x'], 64, /^$/, /--port takes a number/],
    [['--plugins'], 0, /^PLUGIN +DOES\nroot +.+\nmetadata +/, /^$/],
    [['--plugins', '--json'], 0, /^\[\{"name":"root","text":"/, /^$/],
  ]
  await Promise.all(
    cases.map(async ([argv, code, stdout, stderr]) => {
      const ended = await orla(['dns', ...argv], { cwd })
      assert.equal(ended.code, code, `${argv.join(' ')}: ${ended.stderr}`)
      assert.match(ended.stdout, stdout, argv.join(' '))
      assert.match(ended.stderr, stderr, argv.join(' '))
    }),
  )
})
