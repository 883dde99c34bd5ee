/** DNS in a node: all workers answer what one Corefile says, units among them, and another one takes its place everywhere or nowhere. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { promisify } from 'node:util'
import { orla, type RunningCommand, startOrla } from '../harness/command.ts'
import { eventually } from '../harness/eventually.ts'
import { freePort } from '../harness/ports.ts'
import { processesBelow } from '../harness/processes.ts'
import { isAlive } from '../harness/takeover.ts'

const run = promisify(execFile)

interface Node {
  readonly folder: string
  readonly port: number
  readonly command: RunningCommand
  /** What `dig +short` says. */
  dig(...words: string[]): Promise<string>
  /** A command of `orla` against this node. */
  orla(...argv: string[]): ReturnType<typeof orla>
}

async function startNode(t: TestContext, corefile: string, more: object = {}): Promise<Node> {
  const folder = mkdtempSync(join(tmpdir(), 'orla-dns-node-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const port = await freePort()
  const config = {
    edge: { listen: '127.0.0.1:0', workers: 2 },
    control: { listen: '127.0.0.1:0', token: 'secret' },
    store: { path: 'data' },
    dns: { corefile: 'Corefile', ...more },
  }
  writeFileSync(join(folder, 'Corefile'), corefile.replaceAll('PORT', String(port)))
  writeFileSync(join(folder, 'orla.config.json'), JSON.stringify(config))
  const command = await startOrla(t, ['start'], { cwd: folder })
  const env = { ORLA_CONTROL: command.control, ORLA_TOKEN: 'secret' }
  return {
    folder,
    port,
    command,
    dig: async (...words) => {
      const { stdout } = await run('dig', [
        '@127.0.0.1',
        '-p',
        String(port),
        '+tries=1',
        '+time=5',
        '+noall',
        '+answer',
        '+comments',
        ...words,
      ])
      return stdout
    },
    orla: (...argv) => orla(argv, { cwd: folder, env }),
  }
}

const HOSTS = `.:PORT {
  bind 127.0.0.1
  unit
  hosts {
    192.0.2.1 www.example.org
    fallthrough
  }
}
`

test('all workers answer what the Corefile says, and a unit that is deployed', async (t) => {
  const node = await startNode(t, HOSTS)
  assert.deepEqual(node.command.dns, [`dns://127.0.0.1:${node.port}`])
  // Several clients: the kernel gives each of them to one of the workers.
  for (let times = 0; times < 8; times++) assert.match(await node.dig('www.example.org'), /192\.0\.2\.1/)
  assert.match(await node.dig('unit.example.org'), /status: REFUSED/)
  writeFileSync(
    join(node.folder, 'names.ts'),
    `import type { Unit } from 'orla'
export default {
  hosts: ['*.example.org'],
  async dns(query, edge) {
    if (query.name === 'unit.example.org') return ['TXT "of a unit"']
    if (query.name === 'loop.example.org') for (;;);
    if (query.name === 'old.example.org') return { ask: { name: 'www.example.org' } }
  },
} satisfies Unit
`,
  )
  const deployed = await node.orla('deploy', 'names.ts')
  assert.equal(deployed.code, 0, deployed.stderr)
  for (let times = 0; times < 4; times++)
    assert.match(await node.dig('unit.example.org', 'TXT'), /"of a unit"/)
  assert.match(await node.dig('old.example.org'), /old\.example\.org\.\s+\d+\s+IN\s+A\s+192\.0\.2\.1/)
  assert.match(await node.dig('loop.example.org'), /status: SERVFAIL/)
  assert.match(await node.dig('www.example.org'), /192\.0\.2\.1/)
  const metrics = async () =>
    (await fetch(`${node.command.control}/metrics`, { headers: { authorization: 'Bearer secret' } })).text()
  assert.match(await metrics(), /orla_unit_runs_total\{[^}]*phase="dns"[^}]*\} [1-9]/)
  assert.match(await metrics(), /orla_unit_errors_total\{[^}]*phase="dns"[^}]*reason="cpu"[^}]*\} 1/)
})

test('a reload puts another Corefile in its place on all workers, and one that is wrong nowhere', async (t) => {
  const node = await startNode(t, HOSTS)
  const rewrite = (text: string) =>
    writeFileSync(join(node.folder, 'Corefile'), text.replaceAll('PORT', String(node.port)))
  rewrite(HOSTS.replace('192.0.2.1', '192.0.2.2'))
  const reloaded = await node.orla('reload')
  assert.equal(reloaded.code, 0, reloaded.stderr)
  for (let times = 0; times < 8; times++) assert.match(await node.dig('www.example.org'), /192\.0\.2\.2/)
  rewrite(`${HOSTS.replace('192.0.2.1', '192.0.2.3')}\nexample.net:PORT {\n  nonsense\n}\n`)
  const refused = await node.orla('reload')
  assert.notEqual(refused.code, 0)
  assert.match(refused.stderr + refused.stdout, /Corefile:11 - .*nonsense/)
  for (let times = 0; times < 8; times++) assert.match(await node.dig('www.example.org'), /192\.0\.2\.2/)
  // A change of the file alone is enough.
  rewrite(HOSTS.replace('192.0.2.1', '192.0.2.4'))
  await eventually(async () => /192\.0\.2\.4/.test(await node.dig('www.example.org')) || undefined)
})

test('a Corefile that is wrong ends the start with its file and line', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'orla-dns-node-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  writeFileSync(join(folder, 'Corefile'), '.:0 {\n  nonsense\n}\n')
  const config = {
    edge: { listen: '127.0.0.1:0', workers: 1 },
    control: { listen: '127.0.0.1:0' },
    dns: { corefile: 'Corefile' },
  }
  writeFileSync(join(folder, 'orla.config.json'), JSON.stringify(config))
  const wrong = await orla(['start'], { cwd: folder })
  assert.equal(wrong.code, 1)
  assert.match(wrong.stderr, /Corefile:2 - .*nonsense/)
  rmSync(join(folder, 'Corefile'))
  const missing = await orla(['start'], { cwd: folder })
  assert.equal(missing.code, 1)
  assert.match(missing.stderr, /dns\.corefile: ENOENT/)
})

test('queries of DNS over HTTPS are answered where the edge listens', async (t) => {
  const node = await startNode(t, HOSTS, { doh: '/dns-query' })
  const query = Buffer.from('AAABAAABAAAAAAAAA3d3dwdleGFtcGxlA29yZwAAAQAB', 'base64url')
  const url = `${node.command.edges[0]!}/dns-query`
  const headers = { 'content-type': 'application/dns-message' }
  const answers = [
    await fetch(`${url}?dns=${query.toString('base64url')}`),
    await fetch(url, { method: 'POST', headers, body: query }),
  ]
  for (const answer of answers) {
    assert.equal(answer.status, 200)
    assert.equal(answer.headers.get('content-type'), 'application/dns-message')
    assert.match(answer.headers.get('cache-control')!, /^max-age=\d+$/)
    const bytes = Buffer.from(await answer.arrayBuffer())
    assert.deepEqual([...bytes.subarray(-4)], [192, 0, 2, 1])
  }
  assert.equal((await fetch(url, { method: 'POST', body: 'x' })).status, 415)
  assert.equal((await fetch(url, { method: 'PUT', body: 'x' })).status, 405)
  assert.equal((await fetch(`${url}?dns=AAAA`)).status, 400)
  assert.equal((await fetch(`${node.command.edges[0]!}/`)).status, 404)
})

test('what there is one of is served by one worker, and all of them are counted together', async (t) => {
  const watched = await freePort()
  const corefile = `.:PORT {
  bind 127.0.0.1
  health 127.0.0.1:${watched}
  ready 127.0.0.1:${watched}
  prometheus 127.0.0.1:${watched}
  log
  whoami
}
`
  const node = await startNode(t, corefile)
  for (const path of ['health', 'ready', 'metrics'])
    assert.equal((await fetch(`http://127.0.0.1:${watched}/${path}`)).status, 200, path)
  for (let times = 0; times < 12; times++) assert.match(await node.dig('x.example.org'), /NOERROR/)
  const answer = await fetch(`${node.command.control}/metrics`, {
    headers: { authorization: 'Bearer secret' },
  })
  const counted = [...(await answer.text()).matchAll(/^coredns_dns_requests_total\{.*\} (\d+)$/gm)]
  assert.equal(
    counted.reduce((sum, [, count]) => sum + Number(count), 0),
    12,
  )
  await eventually(() => node.command.stdout().split('x.example.org.').length > 12 || undefined)
})

test('a worker that is killed is replaced, and DNS goes on', async (t) => {
  const node = await startNode(t, HOSTS)
  const [worker] = processesBelow(node.command.pid).workers
  process.kill(worker!, 'SIGKILL')
  // A packet that it had not read is lost, and asked again by whoever waits for it.
  for (let times = 0; times < 10; times++)
    assert.match(await node.dig('+tries=3', '+time=1', 'www.example.org'), /192\.0\.2\.1/)
  await eventually(() => {
    const { workers } = processesBelow(node.command.pid)
    return (workers.length === 2 && !workers.includes(worker!)) || undefined
  })
  await eventually(async () => {
    for (let times = 0; times < 8; times++)
      if (!(await node.dig('www.example.org')).includes('192.0.2.1')) return undefined
    return true
  })
})

test('a program that takes over answers while the one before does', async (t) => {
  const node = await startNode(t, HOSTS)
  const upgrade = node.orla('upgrade')
  let isOver = false
  const asked = (async () => {
    let answered = 0
    for (; !isOver; answered++)
      assert.match(await node.dig('+tries=3', '+time=1', 'www.example.org'), /192\.0\.2\.1/)
    return answered
  })()
  const { code, stderr } = await upgrade
  isOver = true
  assert.equal(code, 0, stderr)
  assert.ok((await asked) > 0)
  const heir = Number.parseInt(readFileSync(join(node.folder, 'data/orla.pid'), 'utf8'), 10)
  try {
    await eventually(() => !isAlive(node.command.pid))
    for (let times = 0; times < 4; times++) assert.match(await node.dig('www.example.org'), /192\.0\.2\.1/)
  } finally {
    process.kill(heir, 'SIGTERM')
    await eventually(() => !isAlive(heir))
  }
})
