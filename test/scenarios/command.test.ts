/** The command as people and scripts use it, against a node that runs. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, createServer as createTcp } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { before, describe, test, type TestContext } from 'node:test'
import { cleanEnvironment, ORLA, orla, startOrla } from '../harness/command.ts'
import { eventually } from '../harness/eventually.ts'
import { startNode } from '../harness/node.ts'

const HELLO = `import type { Unit } from 'orla'
export default {
  paths: ['/hello'],
  content: (request, edge) => {
    console.log('asked by', request.headers.get('user-agent'))
    return new Response('hello ' + (edge.env.WHO ?? 'world'))
  },
} satisfies Unit
`
const BAD = `export default {
  paths: ['/bad'],
  acess(request) {},
}
`
const IMPORTING = `import { greeting } from './lib/greeting.ts'
export default { paths: ['/importing'], content: () => new Response(greeting) }
`
const FILES = {
  'hello.ts': HELLO,
  'bad.ts': BAD,
  'later.ts': HELLO,
  'units/importing.ts': IMPORTING,
  'units/lib/greeting.ts': "export const greeting: string = 'olá'",
}

async function folderWith(t: TestContext, files: Readonly<Record<string, string>>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'orla-command-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true })
    await writeFile(join(folder, name), text)
  }
  return folder
}

test('the command changes a node while it runs', async (t) => {
  const node = await startNode(t, { files: FILES, config: { edge: { workers: 2 } } })
  const run = (...argv: string[]) => node.orla(...argv)
  const answer = async (path: string) => (await node.request(path)).text

  await t.test('deploy prints one line and the unit is live', async () => {
    const result = await run('deploy', 'hello.ts', '--env', 'WHO=you')
    assert.match(result.stdout, /^deployed hello 1 live on 2\/2 workers in \d+ ms\n$/)
    assert.deepEqual([result.code, result.stderr], [0, ''])
    assert.equal(await answer('/hello'), 'hello you')
  })

  await t.test('deploy takes name, fields and JSON', async () => {
    const result = await run('deploy', 'hello.ts', '--name', 'other', '--paths', '/other', '--json')
    assert.equal(result.code, 0, result.stderr)
    const [change] = JSON.parse(result.stdout) as { name: string; version: number; live: object }[]
    assert.deepEqual([change!.name, change!.version, change!.live], ['other', 1, { workers: 2, of: 2 }])
    assert.equal(await answer('/other'), 'hello world')
  })

  await t.test('what a file imports goes along', async () => {
    const result = await run('deploy', 'units/importing.ts')
    assert.equal(result.code, 0, result.stderr)
    assert.equal(await answer('/importing'), 'olá')
  })

  await t.test('a refused unit is told with place, excerpt and what was meant', async () => {
    const result = await run('deploy', 'bad.ts')
    assert.deepEqual([result.code, result.stdout], [1, ''])
    assert.match(
      result.stderr,
      /^orla: bad: the unit was refused\nbad\.ts:3:3: .*'acess'.*\n3 \| {3}acess\(request\) \{\},\n {2}\| {3}\^/,
    )
  })

  await t.test('a refusal in an imported file names that file', async () => {
    await writeFile(join(node.folder, 'units/lib/greeting.ts'), 'export const greeting: string = 7')
    const result = await run('deploy', 'units/importing.ts')
    assert.equal(result.code, 1)
    assert.match(
      result.stderr,
      /^units\/lib\/greeting\.ts:1:14: .*\n1 \| export const greeting: string = 7$/m,
    )
    assert.equal(await answer('/importing'), 'olá')
  })

  await t.test('of several files the first refusal ends it, and it is told what is live', async () => {
    const result = await run('deploy', 'hello.ts', 'bad.ts', 'later.ts')
    assert.equal(result.code, 1)
    assert.match(result.stdout, /^deployed hello 2 live on 2\/2 workers in \d+ ms\n$/)
    assert.match(result.stderr, /^ {2}live: hello; not tried: later$/m)
    const { stdout } = await run('units', '--json')
    assert.deepEqual(
      (JSON.parse(stdout) as { name: string }[]).map(({ name }) => name),
      ['hello', 'importing', 'other'],
    )
  })

  await t.test('units and versions tell what is deployed', async () => {
    assert.match((await run('units')).stdout, /^NAME +VERSION +STATE.*\nhello +2 +live +content +\/hello /)
    assert.match((await run('units', 'hello')).stdout, /^unit +hello@2\n[^]*\nenv +WHO=you\n[^]*2 \(live\)/)
    const { stdout } = await run('versions', 'hello', '--json')
    const versions = JSON.parse(stdout) as { version: number; live: boolean }[]
    assert.deepEqual(
      versions.map(({ version, live }) => [version, live]),
      [
        [2, true],
        [1, false],
      ],
    )
  })

  await t.test('env sets values, and never shows secrets', async () => {
    assert.match((await run('env', 'hello', '--secret', 'WHO=nobody')).stdout, /^deployed hello 3 live/)
    assert.equal(await answer('/hello'), 'hello nobody')
    const shown = await run('env', 'hello')
    assert.equal(shown.stdout, 'WHO=(secret)\n')
  })

  await t.test('rollback goes one version back, or to the one named', async () => {
    assert.match(
      (await run('rollback', 'hello')).stdout,
      /^rolled back hello to 2 live on 2\/2 workers in \d+ ms\n$/,
    )
    assert.equal(await answer('/hello'), 'hello you')
    assert.equal((await run('rollback', 'hello', '--to', '3')).code, 0)
    const refused = await run('rollback', 'hello', '--to', '99')
    assert.equal(refused.code, 1)
    assert.notEqual(refused.stderr, '')
  })

  await t.test('disable and enable switch one unit, or all', async () => {
    assert.match((await run('disable', 'hello')).stdout, /^disabled hello on 2\/2 workers/)
    assert.notEqual((await node.request('/hello')).status, 200)
    await run('enable', 'hello')
    assert.equal((await node.request('/hello')).status, 200)
    assert.match((await run('disable', '--all')).stdout, /^disabled all units on 2\/2 workers/)
    assert.notEqual((await node.request('/other')).status, 200)
    await run('enable', '--all')
    assert.equal((await node.request('/other')).status, 200)
    assert.equal((await run('disable')).code, 64)
    assert.equal((await run('disable', 'hello', '--all')).code, 64)
  })

  await t.test('remove takes a unit away', async () => {
    assert.match((await run('remove', 'other')).stdout, /^removed other from 2\/2 workers/)
    const again = await run('remove', 'other')
    assert.equal(again.code, 1)
    assert.match(again.stderr, /there is no unit other/)
  })

  await t.test('a worker that does not answer makes the deploy end with 2, naming it', async () => {
    try {
      // Where the machine stood still, the time is up before any worker is asked; and one that hangs for long is replaced.
      await eventually(async () => {
        const stopped = node.processes().workers.at(-1)!
        process.kill(stopped, 'SIGSTOP')
        const result = await run('deploy', 'hello.ts', '--timeout', '300ms')
        assert.deepEqual([result.code, result.stdout], [2, ''])
        assert.match(result.stderr, new RegExp(`worker \\d: pid ${stopped}`))
        return true
      })
    } finally {
      for (const pid of node.processes().workers) process.kill(pid, 'SIGCONT')
    }
  })

  await t.test('a wrong token and a missing one are told how to be right', async () => {
    for (const env of [{ ORLA_TOKEN: 'wrong' }, {}]) {
      const result = await orla(['units', '--control', node.control], { env })
      assert.equal(result.code, 1)
      assert.match(result.stderr, /asks for a valid token.*\n.*--token/)
    }
  })

  await t.test('whoever reads the output may stop early', async () => {
    const child = spawn('sh', ['-c', `${ORLA} units --json | true`], {
      env: { ...cleanEnvironment(), ORLA_CONTROL: node.control, ORLA_TOKEN: node.token },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let stderr = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
    await new Promise((resolve) => child.on('close', resolve))
    assert.equal(stderr, '')
  })
})

describe('without a node', () => {
  test('nothing answers: it is asked whether the node runs', async () => {
    const result = await orla(['units', '--control', 'http://127.0.0.1:1'])
    assert.equal(result.code, 1)
    assert.match(
      result.stderr,
      /^orla: nothing answers at http:\/\/127\.0\.0\.1:1; is the node running\? \(--control\)\n/,
    )
  })

  const servers: {
    url: string
    message: RegExp
    name: string
    server: Server | ReturnType<typeof createTcp>
  }[] = []
  before(async () => {
    for (const [name, server, message] of [
      [
        'speaks no HTTP',
        createTcp((socket) => void socket.end('220 mail.example.org ESMTP\r\n')),
        /is not a control plane/,
      ],
      ['closes', createTcp((socket) => void socket.destroy()), /does not answer: it closed the connection/],
      [
        'is another web server',
        createServer((_, response) => void response.end('<html>')),
        /is not a control plane/,
      ],
      [
        'answers 500 with HTML',
        createServer((_, response) => void response.writeHead(500).end('<html>')),
        /answered 500/,
      ],
    ] as const) {
      await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
      servers.push({ name, url, server, message })
    }
  })
  for (const index of [0, 1, 2, 3]) {
    test(`what answers instead is told (${index})`, async (t) => {
      const { url, message, server } = servers[index]!
      t.after(() => server.close())
      const result = await orla(['units', '--control', url])
      assert.equal(result.code, 1)
      assert.match(result.stderr, message)
    })
  }

  test('check builds and checks here, and tells every problem', async (t) => {
    const cwd = await folderWith(t, FILES)
    const good = await orla(['check', 'hello.ts', 'units/importing.ts'], { cwd })
    assert.deepEqual([good.code, good.stdout, good.stderr], [0, 'ok hello.ts\nok units/importing.ts\n', ''])
    const bad = await orla(['check', 'bad.ts', 'hello.ts'], { cwd })
    assert.deepEqual([bad.code, bad.stdout], [1, 'ok hello.ts\n'])
    assert.match(bad.stderr, /^bad\.ts:3:3: .*'acess'.*\n3 \| {3}acess/)
    const json = await orla(['check', 'bad.ts', '--json'], { cwd })
    const [result] = JSON.parse(json.stdout) as { ok: boolean; problems: { line: number }[] }[]
    assert.deepEqual([json.code, result!.ok, result!.problems[0]!.line], [1, false, 3])
  })

  for (const [argv, code, message] of [
    [['deplou', 'x.ts'], 64, /unknown command deplou; did you mean deploy\?/],
    [['deploy'], 64, /FILE… is missing/],
    [['deploy', 'x.ts', '--nmae', 'y'], 64, /unknown option --nmae; did you mean --name\?/],
    [['deploy', 'x.ts', 'y.ts', '--name', 'z'], 64, /--name goes with one FILE/],
    [['deploy', 'none.ts'], 1, /none\.ts cannot be read: there is no such file/],
    [['deploy', '.', '--control', 'ftp://x'], 64, /--control takes a URL/],
    [['check', 'none.ts'], 1, /none\.ts cannot be read/],
    [['start', 'x'], 64, /"x" is one argument too many/],
    [['start', '--config', 'none.json'], 1, /none\.json cannot be read: there is no such file/],
  ] as const) {
    test(`orla ${argv.join(' ')} ends with ${code} and says why`, async () => {
      const result = await orla(argv, { cwd: tmpdir() })
      assert.deepEqual([result.code, result.stdout], [code, ''])
      assert.match(result.stderr, message)
    })
  }

  test('every command has a help with usage, options, examples and exit codes', async () => {
    const list = await orla(['help'])
    assert.equal(list.code, 0)
    const namesIn = (text: string) => [...text.matchAll(/^ {2}([a-z]+) {2}/gm)].map((match) => match[1]!)
    const commands = namesIn(list.stdout).map((name) => [name])
    assert.ok(commands.length > 10, list.stdout)
    for (const command of commands) {
      const { code, stdout } = await orla([...command, '--help'])
      assert.equal(code, 0)
      const usage = `^usage: orla ${command.join(' ')}`
      if (stdout.includes('\ncommands:\n')) {
        assert.match(stdout, new RegExp(`${usage} COMMAND `))
        commands.push(...namesIn(stdout).map((name) => [...command, name]))
      } else assert.match(stdout, new RegExp(`${usage}[^]*\noptions:\n[^]*\nexit codes:\n`))
    }
    assert.ok(commands.some((command) => command.join(' ') === 'cache stats'))
  })
})

describe('start', () => {
  test('prints one line on standard output, drains at SIGTERM and ends with 0', async (t) => {
    const cwd = await folderWith(t, {
      'orla.config.ts': `import { defineConfig } from 'orla'
        export default defineConfig({
          edge: { listen: ['127.0.0.1:0', '127.0.0.1:0'] },
          control: { listen: '127.0.0.1:0' },
        })`,
    })
    const node = await startOrla(t, ['start'], { cwd })
    assert.equal(node.edges.length, 2)
    node.kill('SIGTERM')
    assert.deepEqual(await node.ended, { code: 0, signal: null })
  })

  test('makes a token where none is configured, and keeps it for the next start and for the command beside it', async (t) => {
    const cwd = await folderWith(t, {
      'orla.config.json': '{"edge": {"listen": "127.0.0.1:0"}, "control": {"listen": "127.0.0.1:0"}}',
      'elsewhere/empty': '',
    })
    const first = await startOrla(t, ['start'], { cwd })
    const [, file] =
      /one was made; its owner reads it in (\S+\/data\/control\.token)$/m.exec(first.stderr()) ?? []
    assert.ok(file !== undefined, first.stderr())
    const token = (await readFile(file, 'utf8')).trim()
    assert.equal((await stat(file)).mode & 0o777, 0o600)
    // What is said here lies in journals.
    assert.ok(!first.stderr().includes(token))
    first.kill('SIGTERM')
    await first.ended

    const second = await startOrla(t, ['start'], { cwd })
    assert.match(second.stderr(), /the one in \S+\/data\/control\.token is used/)
    assert.ok(!second.stderr().includes(token))
    const units = (folder: string, ...argv: string[]) =>
      orla(['units', '--control', second.control, ...argv], { cwd: folder })
    assert.equal((await units(join(cwd, 'elsewhere'), '--token', token)).code, 0)
    assert.equal((await units(cwd)).code, 0)
    assert.match((await units(join(cwd, 'elsewhere'))).stderr, /asks for a valid token/)
  })

  test('a bad configuration is told whole, and nothing is started', async (t) => {
    const cwd = await folderWith(t, {
      'edge.json': '{"edge": {"workers": 0}, "sites": [{"orgin": "http://127.0.0.1:9"}]}',
    })
    const result = await orla(['start', '--config', 'edge.json'], { cwd })
    assert.deepEqual([result.code, result.stdout], [1, ''])
    assert.match(result.stderr, /sites\[0\]\.orgin: unknown key `orgin`; did you mean `origin`\?/)
    assert.match(result.stderr, /edge\.workers: expected a whole number from 1 to 256, got 0/)
  })

  test('a configuration that was found by itself and is gone refuses a reload and an upgrade', async (t) => {
    const config = {
      edge: { listen: '127.0.0.1:0' },
      control: { listen: '127.0.0.1:0', token: 'a-token-for-the-test' },
    }
    const cwd = await folderWith(t, { 'orla.config.json': JSON.stringify(config) })
    const node = await startOrla(t, ['start'], { cwd })
    await rm(join(cwd, 'orla.config.json'))
    for (const command of ['reload', 'upgrade']) {
      const result = await orla([command, '--control', node.control, '--token', config.control.token], {
        cwd,
      })
      assert.equal(result.code, 1, command)
      assert.match(result.stderr, /orla\.config\.json cannot be read: there is no such file/, command)
    }
  })

  test('a data directory that is in use is told, with the process that uses it', async (t) => {
    const node = await startNode(t)
    const result = await orla(['start'], { cwd: node.folder })
    assert.deepEqual([result.code, result.stdout], [1, ''])
    assert.match(result.stderr, new RegExp(`^orla: .* ${node.pid} `, 'm'))
  })
})
