import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { demoSteps } from '../../src/cli/demo/steps.ts'
import { cleanEnvironment, orla, patient, startOrla } from '../harness/command.ts'
import { eventually } from '../harness/eventually.ts'
import { ask } from '../harness/http-client.ts'
import { processesBelow } from '../harness/processes.ts'
import { ROOT } from '../shape/tree.ts'

async function startDemo(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'orla-demo-'))
  const argv = ['demo', '--edge', '127.0.0.1:0', '--control', '127.0.0.1:0', '--folder', folder]
  const demo = await startOrla(t, argv, { ownGroup: true }).finally(() => {
    t.after(() => rm(folder, { recursive: true, force: true }))
  })
  await eventually(() => demo.stderr().includes('Ctrl-C ends it.'))
  return { demo, folder, edge: demo.edges[0]! }
}

/** In a shell, from the project's folder, with what the line `export …` has set. */
function shell(line: string, environment: Readonly<Record<string, string>>): string {
  const { stdout, stderr } = spawnSync('sh', ['-c', patient(line)], {
    cwd: ROOT,
    env: { ...cleanEnvironment(), ...environment },
    encoding: 'utf8',
    timeout: 300_000,
  })
  return stdout + stderr
}

test('every command that the demo prints does what it says', async (t) => {
  const { demo, folder, edge } = await startDemo(t)
  const text = demo.stderr()
  const exported = /^ {2}export (\S+)=(\S+) (\S+)=(\S+)$/m.exec(text)
  assert.ok(exported, text)
  const environment = { [exported[1]!]: exported[2]!, [exported[3]!]: exported[4]! }
  for (const { say, command, expect } of demoSteps({ edge, folder })) {
    await t.test(say, () => {
      assert.ok(text.includes(`\n  # ${say}\n  ${command}\n`), 'it is printed as a line to paste')
      const output = shell(command, environment)
      assert.match(output, expect, `${command}\n${output}`)
    })
  }
  await t.test('the looping unit is told by the tail, and stays out until a new version comes', async () => {
    const units = shell('bin/orla units loop', environment)
    assert.match(units, /quarantined|cpu/, units)
  })
})

test('the demo serves its page, its image and a playlist that moves on, and ends cleanly at Ctrl-C', async (t) => {
  const { demo, edge } = await startDemo(t)
  const page = await ask(`${edge}/`)
  assert.match(page.headers['content-type'] ?? '', /^text\/html/)
  assert.match(page.text, /<title>Orla: the demo<\/title>/)
  const sequence = async () => {
    const { text } = await ask(`${edge}/hls/colorbar.m3u8`)
    return Number(/#EXT-X-MEDIA-SEQUENCE:(\d+)/.exec(text)![1])
  }
  const first = await sequence()
  const playlist = await ask(`${edge}/hls/colorbar.m3u8`)
  const segment = await ask(new URL(/^colorbar-\d+\.ts$/m.exec(playlist.text)![0], `${edge}/hls/`))
  assert.equal(segment.status, 200)
  assert.equal(segment.body.length % 188, 0)
  assert.equal(segment.body[0], 0x47)
  await eventually(async () => (await sequence()) > first, { everyMs: 200 })

  const { workers, sandboxes } = processesBelow(demo.pid)
  assert.equal(workers.length, 1)
  demo.interrupt()
  assert.deepEqual(await demo.ended, { code: 0, signal: null })
  for (const pid of [...workers, ...sandboxes]) assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' })
})

test('a port that is taken is told, with the program that holds it', async (t) => {
  const server = createServer()
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  const { port } = server.address() as AddressInfo
  const folder = await mkdtemp(join(tmpdir(), 'orla-demo-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const result = await orla([
    'demo',
    '--edge',
    `127.0.0.1:${port}`,
    '--control',
    '127.0.0.1:0',
    '--folder',
    folder,
  ])
  assert.equal(result.code, 1)
  assert.equal(result.stdout, '')
  assert.match(result.stderr, new RegExp(`^orla: 127\\.0\\.0\\.1:${port} is taken by pid ${process.pid}`))
})

test('an address for the demo that is none is a wrong command line', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'orla-demo-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const result = await orla(['demo', '--edge', '8080', '--folder', folder])
  assert.equal(result.code, 64)
  assert.match(result.stderr, /edge\.listen: expected "ADDRESS:PORT"/)
})
